namespace PoolApi.Threading.Core.Atomics;

/// <summary>
/// Holds a monitor, as <see langword="lock"/> does, but is not turned away by a <see cref="Thread.Interrupt"/>: that is
/// put off until the thread next waits. For steps that must not be skipped, such as counting an item's end.
/// </summary>
internal readonly ref struct UninterruptibleLock : IDisposable
{
    private readonly object _monitor;

    public UninterruptibleLock(object monitor)
    {
        Enter(monitor);
        _monitor = monitor;
    }

    public void Dispose() => Monitor.Exit(_monitor);

    /// <summary>For who lets go of the monitor himself.</summary>
    public static void Enter(object monitor)
    {
        bool interrupted = false;
        while (true)
        {
            try
            {
                Monitor.Enter(monitor);
                break;
            }
            catch (ThreadInterruptedException)
            {
                interrupted = true;
            }
        }
        if (interrupted) Thread.CurrentThread.Interrupt();
    }
}
