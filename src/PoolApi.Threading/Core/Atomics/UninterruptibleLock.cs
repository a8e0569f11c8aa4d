namespace PoolApi.Threading.Core.Atomics;

/// <summary>
/// Holds a monitor as <see langword="lock"/> does, but a <see cref="Thread.Interrupt"/> does not abort the acquisition: the interrupt is
/// deferred until the thread next waits. For steps that must not be skipped, such as counting an item's end.
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

    /// <summary>Acquires a monitor that the caller releases itself.</summary>
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
