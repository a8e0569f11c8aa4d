namespace PoolApi.AspNetCore.Shutdown;

/// <summary>Waits for the end of a stop on a thread of its own, and calls an action if the stop is late.</summary>
/// <remarks>Not a timer: a timer's callback runs on the .NET ThreadPool, which may be what the stop hangs on.</remarks>
internal sealed class Watchdog
{
    private readonly object _gate = new();
    private bool _isOver;

    private Watchdog()
    {
    }

    /// <summary>Starts the watchdog's thread.</summary>
    /// <param name="time">How long the stop may take.</param>
    /// <param name="late">Called on that thread if the stop takes longer.</param>
    public static Watchdog Start(TimeSpan time, Action late)
    {
        var dog = new Watchdog();
        var thread = new Thread(() =>
        {
            if (!dog.IsOverWithin(time)) late();
        })
        { IsBackground = true, Name = "shutdown-watchdog" };
        thread.UnsafeStart();
        return dog;
    }

    /// <summary>The stop has ended: the thread ends without a call.</summary>
    public void Over()
    {
        lock (_gate)
        {
            _isOver = true;
            Monitor.PulseAll(_gate);
        }
    }

    private bool IsOverWithin(TimeSpan time)
    {
        lock (_gate) return _isOver || (Monitor.Wait(_gate, time) && _isOver);
    }
}
