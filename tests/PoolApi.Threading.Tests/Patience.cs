namespace PoolApi.Threading.Tests;

/// <summary>Bounded waits. The bound is a guard against hanging for ever, never what decides a test.</summary>
internal static class Patience
{
    public static readonly TimeSpan Long = TimeSpan.FromSeconds(60);

    public static Task Patiently(this Task task) => task.WaitAsync(Long);

    public static Task<T> Patiently<T>(this Task<T> task) => task.WaitAsync(Long);

    public static Task Patiently(this ValueTask task) => task.AsTask().WaitAsync(Long);

    public static Task<T> Patiently<T>(this ValueTask<T> task) => task.AsTask().WaitAsync(Long);

    public static void WaitPatiently(this ManualResetEventSlim gate)
    {
        if (!gate.Wait(Long)) throw new TimeoutException("The gate did not open.");
    }

    public static void JoinPatiently(this Thread thread)
    {
        if (!thread.Join(Long)) throw new TimeoutException($"The thread {thread.Name} did not end.");
    }

    /// <summary>For what can be seen but gives no signal.</summary>
    public static void Until(Func<bool> condition)
    {
        if (!SpinWait.SpinUntil(condition, Long)) throw new TimeoutException("It did not come about.");
    }

    /// <summary>A thread of the test's own, so that the ThreadPool's state decides nothing.</summary>
    public static Thread OnOwnThread(Action body)
    {
        var thread = new Thread(() => body()) { IsBackground = true };
        thread.Start();
        return thread;
    }
}
