using System.Diagnostics;

namespace PoolApi.TestKit;

/// <summary>Polls another process until it answers what the test waits for. A state behind HTTP gives no signal.</summary>
public static class Eventually
{
    private static readonly TimeSpan Shortest = TimeSpan.FromMilliseconds(15), Longest = TimeSpan.FromMilliseconds(50);

    /// <summary>Asks until an answer is accepted. Fails with the last answer after the time limit.</summary>
    public static async Task<T> SeesAsync<T>(Func<Task<T>> ask, Func<T, bool> accept, string what, double? seconds = null, TimeSpan? pause = null)
    {
        var limit = seconds is { } given ? TimeSpan.FromSeconds(given) : Patience.Long;
        var clock = Stopwatch.StartNew();
        var next = new GrowingPause(pause ?? Shortest, pause ?? Longest);
        while (true)
        {
            var answer = await ask();
            if (accept(answer))
                return answer;
            if (clock.Elapsed > limit)
                Assert.Fail($"waited {limit.TotalSeconds} s in vain for: {what}. Last seen: {answer}");
            await next.PassAsync(); // there is no signal to wait for
        }
    }
}
