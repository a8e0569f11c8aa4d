using PoolApi.Threading.Core.Atomics;
namespace PoolApi.Threading.Core;

/// <summary>
/// Sets a timer in a step that must not be skipped. The runtime takes a lock for it, where a <see cref="Thread.Interrupt"/>
/// may strike. As with <see cref="UninterruptibleLock"/>, the interrupt is deferred until the thread next waits.
/// </summary>
internal static class TimerSetting
{
    /// <summary>The longest time to which a timer is set, because the runtime accepts at most 49 days. For a longer time it fires early, and its owner sets it again.</summary>
    public static readonly TimeSpan Longest = TimeSpan.FromDays(1);

    /// <summary>Sets the timer to fire once after the given time, or after <see cref="Longest"/> if that is less.</summary>
    public static void Set(ITimer timer, TimeSpan due)
    {
        bool interrupted = false;
        while (true)
        {
            try
            {
                timer.Change(due < Longest ? due : Longest, Timeout.InfiniteTimeSpan);
                break;
            }
            catch (ThreadInterruptedException)
            {
                interrupted = true;
            }
            catch (ObjectDisposedException)
            {
                break; // The pool has stopped meanwhile.
            }
        }
        if (interrupted) Thread.CurrentThread.Interrupt();
    }
}
