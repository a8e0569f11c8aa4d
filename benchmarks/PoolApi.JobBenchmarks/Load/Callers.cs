using System.Diagnostics;

namespace PoolApi.JobBenchmarks.Load;

/// <summary>Some callers, each of which calls again as soon as it is answered.</summary>
internal static class Callers
{
    /// <summary>Calls for some time.</summary>
    /// <param name="callers">How many call at the same time.</param>
    /// <param name="duration">When no further call is begun.</param>
    /// <param name="call">The call of the caller of this number.</param>
    public static Task<CallResult> ForAsync(int callers, TimeSpan duration, Func<int, ValueTask> call)
    {
        long startedAt = Stopwatch.GetTimestamp();
        return RunAsync(callers, () => Stopwatch.GetElapsedTime(startedAt) < duration, call);
    }

    /// <summary>Makes so many calls.</summary>
    public static Task<CallResult> TimesAsync(int callers, int times, Func<int, ValueTask> call)
    {
        int begun = 0;
        return RunAsync(callers, () => Interlocked.Increment(ref begun) <= times, call);
    }

    /// <summary>Makes so many calls on as many threads as there are callers: for calls that block.</summary>
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
        // To the last answer: the calls that were still under way at the end count, and so does their time.
        return new CallResult(Stopwatch.GetElapsedTime(startedAt), taken.SelectMany(t => t));

        async Task<List<double>> CallAsync(int number)
        {
            await Task.Yield(); // all at once, not each when the one before has to wait
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
