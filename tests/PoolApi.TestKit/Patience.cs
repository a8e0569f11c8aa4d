using System.Diagnostics;

namespace PoolApi.TestKit;

/// <summary>Bounded waits. The bound keeps a test from hanging forever; the result of a test does not depend on it.</summary>
public static class Patience
{
    /// <summary>The bound: longer than a busy machine takes for anything that a test waits for.</summary>
#pragma warning disable CA1720 // a duration, not a type
    public static readonly TimeSpan Long = TimeSpan.FromMinutes(3);
#pragma warning restore CA1720

    private static readonly TimeSpan Shortest = TimeSpan.FromMilliseconds(5), Longest = TimeSpan.FromMilliseconds(25);

    /// <summary>Cancelled when the test run is aborted.</summary>
    public static CancellationToken Token => TestContext.Current.CancellationToken;

    public static Task Patiently(this Task task) => task.WaitAsync(Long, Token);

    public static Task<T> Patiently<T>(this Task<T> task) => task.WaitAsync(Long, Token);

    public static Task Patiently(this ValueTask task) => task.AsTask().WaitAsync(Long, Token);

    public static Task<T> Patiently<T>(this ValueTask<T> task) => task.AsTask().WaitAsync(Long, Token);

    public static void WaitPatiently(this ManualResetEventSlim opened)
    {
        if (!opened.Wait(Long)) throw new TimeoutException("The event was never set.");
    }

    /// <param name="thread">The thread.</param>
    /// <param name="longest">The bound, for a thread of thousands of steps; default: <see cref="Long"/>.</param>
    public static void JoinPatiently(this Thread thread, TimeSpan? longest = null)
    {
        if (!thread.Join(longest ?? Long)) throw new TimeoutException($"The thread {thread.Name} did not end.");
    }

    /// <summary>Blocks until a condition holds that gives no signal.</summary>
    public static void Until(Func<bool> condition)
    {
        if (!SpinWait.SpinUntil(condition, Long)) throw new TimeoutException("The condition was not met.");
    }

    /// <summary>Waits until a condition holds that gives no signal.</summary>
    public static Task UntilAsync(Func<bool> condition, string what = "the condition holds") =>
        UntilAsync(() => ValueTask.FromResult(condition()), what);

    /// <inheritdoc cref="UntilAsync(Func{bool}, string)"/>
    public static async Task UntilAsync(Func<ValueTask<bool>> condition, string what = "the condition holds")
    {
        long since = Stopwatch.GetTimestamp();
        var pause = new GrowingPause(Shortest, Longest);
        while (!await condition())
        {
            if (Stopwatch.GetElapsedTime(since) > Long) throw new TimeoutException($"The test waited in vain for this: {what}.");
            await pause.PassAsync(Token); // there is no signal to wait for
        }
    }

    /// <summary>Runs on a new thread, so that the test does not depend on the state of the ThreadPool.</summary>
    public static Thread OnOwnThread(Action body)
    {
        var thread = new Thread(() => body()) { IsBackground = true };
        thread.Start();
        return thread;
    }
}
