namespace PoolApi.Threading.Core;

/// <summary>
/// Puts one thread to sleep until somebody wakes it. A permit: <see cref="Unpark"/> before <see cref="Park"/> makes the
/// next Park return at once, so a wake-up cannot be lost between deciding to sleep and sleeping.
/// </summary>
internal sealed class ThreadParker
{
    private readonly object _monitor = new();
    private bool _permit;

    /// <summary>Sleeps until there is a permit, and takes it. No time limit: a parked thread uses no CPU.</summary>
    public void Park()
    {
        lock (_monitor)
        {
            while (!_permit) Monitor.Wait(_monitor);
            _permit = false;
        }
    }

    /// <summary>Leaves a permit; wakes the thread if it sleeps. Two before one Park count as one.</summary>
    public void Unpark()
    {
        lock (_monitor)
        {
            _permit = true;
            Monitor.Pulse(_monitor);
        }
    }
}
