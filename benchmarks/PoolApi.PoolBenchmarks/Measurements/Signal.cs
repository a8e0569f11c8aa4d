namespace PoolApi.PoolBenchmarks.Measurements;

/// <summary>
/// Tells one waiting thread that something is over. It never spins: on few processors the one who waits would take the time
/// of those who are measured. And it needs no disposing, which could come while the other side is still in <see cref="Set"/>.
/// </summary>
internal sealed class Signal
{
    private readonly object _monitor = new();
    private bool _isSet;

    public void Reset()
    {
        lock (_monitor) _isSet = false;
    }

    public void Set()
    {
        lock (_monitor)
        {
            _isSet = true;
            Monitor.PulseAll(_monitor);
        }
    }

    public void Wait()
    {
        lock (_monitor)
        {
            while (!_isSet) Monitor.Wait(_monitor);
        }
    }
}
