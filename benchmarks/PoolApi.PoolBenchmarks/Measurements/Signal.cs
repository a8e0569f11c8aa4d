namespace PoolApi.PoolBenchmarks.Measurements;

/// <summary>
/// Wakes one waiting thread. The wait never spins: on few processors a spinning thread would take time from the measured ones.
/// There is no disposal, which could run while the other side is still in <see cref="Set"/>.
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
