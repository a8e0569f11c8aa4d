namespace PoolApi.AspNetCore.Shutdown;

/// <summary>Sees that a stop comes to its end: a thread of its own that waits for it, and does something about it when it is late.</summary>
/// <remarks>Not a timer: those run on the .NET ThreadPool, which may be what the stop hangs on.</remarks>
internal sealed class Watchdog
{
    private readonly object _gate = new();
    private bool _isOver;

    private Watchdog()
    {
    }

    /// <summary>Watches from now on.</summary>
    /// <param name="time">How long the stop may take.</param>
    /// <param name="late">What to do if it takes longer.</param>
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

    /// <summary>The stop is over.</summary>
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
