using System.Diagnostics;

namespace PoolApi.JobBenchmarks.Load;

/// <summary>Some callers, each of which makes its next call as soon as its last one has completed.</summary>
internal static class Callers
{
    /// <summary>Makes calls for the given time.</summary>
    /// <param name="callers">The number of concurrent callers.</param>
    /// <param name="duration">The time after which no further call starts.</param>
    /// <param name="call">The call, for the number of the caller.</param>
    public static Task<CallResult> ForAsync(int callers, TimeSpan duration, Func<int, ValueTask> call)
    {
        long startedAt = Stopwatch.GetTimestamp();
        return RunAsync(callers, () => Stopwatch.GetElapsedTime(startedAt) < duration, call);
    }

    /// <summary>Makes the given number of calls.</summary>
    public static Task<CallResult> TimesAsync(int callers, int times, Func<int, ValueTask> call)
    {
        int begun = 0;
        return RunAsync(callers, () => Interlocked.Increment(ref begun) <= times, call);
    }

    /// <summary>Makes the given number of calls, with a thread for each caller: for calls that block.</summary>
    public static CallResult TimesOnThreads(int callers, int times, Action call)
    {
        int begun = 0;
        var taken = new List<double>[callers];
        Exception? fault = null;
        long startedAt = Stopwatch.GetTimestamp();
        Thread[] threads = [.. Enumerable.Range(0, callers).Select(i => new Thread(() =>
        {
            taken[i] = [];
            try
            {
                while (Interlocked.Increment(ref begun) <= times)
                {
                    long calledAt = Stopwatch.GetTimestamp();
                    call();
                    taken[i].Add(Stopwatch.GetElapsedTime(calledAt).TotalMilliseconds);
                }
            }
            catch (Exception e)
            {
                fault = e;
            }
        }))];
        foreach (Thread thread in threads) thread.Start();
        foreach (Thread thread in threads) thread.Join();
        if (fault is not null) throw new InvalidOperationException($"A call failed: {fault.Message}", fault);
        return new CallResult(Stopwatch.GetElapsedTime(startedAt), taken.SelectMany(t => t));
    }

    private static async Task<CallResult> RunAsync(int callers, Func<bool> goesOn, Func<int, ValueTask> call)
    {
        long startedAt = Stopwatch.GetTimestamp();
        List<double>[] taken = await Task.WhenAll(Enumerable.Range(0, callers).Select(CallAsync));
        // Up to the last result: calls that were running at the end count, and so does their time.
        return new CallResult(Stopwatch.GetElapsedTime(startedAt), taken.SelectMany(t => t));

        async Task<List<double>> CallAsync(int number)
        {
            await Task.Yield(); // so that all start at once, not each when the one before has to wait
            var milliseconds = new List<double>();
            while (goesOn())
            {
                long calledAt = Stopwatch.GetTimestamp();
                await call(number);
                milliseconds.Add(Stopwatch.GetElapsedTime(calledAt).TotalMilliseconds);
            }
            return milliseconds;
        }
    }
}
