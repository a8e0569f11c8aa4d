using System.Diagnostics;

namespace PoolApi.Jobs.Tests;

/// <summary>Bounded waits. The bound is a guard against hanging for ever, never what decides a test.</summary>
internal static class Patience
{
    public static readonly TimeSpan Long = TimeSpan.FromMinutes(3);

    public static CancellationToken Token => TestContext.Current.CancellationToken;

    public static Task Patiently(this Task task) => task.WaitAsync(Long, Token);

    public static Task<T> Patiently<T>(this Task<T> task) => task.WaitAsync(Long, Token);

    /// <summary>For what can be seen but gives no signal.</summary>
    public static Task UntilAsync(Func<bool> condition, string what = "It") =>
        UntilAsync(() => ValueTask.FromResult(condition()), what);

    /// <inheritdoc cref="UntilAsync(Func{bool}, string)"/>
    public static async Task UntilAsync(Func<ValueTask<bool>> condition, string what = "It")
    {
        long since = Stopwatch.GetTimestamp();
        while (!await condition())
        {
            if (Stopwatch.GetElapsedTime(since) > Long) throw new TimeoutException($"{what} did not come about.");
            await Task.Delay(5, Token);
        }
    }
}
