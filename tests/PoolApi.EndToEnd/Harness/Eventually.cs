using System.Diagnostics;

namespace PoolApi.EndToEnd.Harness;

/// <summary>Asks another process again and again until it says what was awaited. Only for what cannot announce itself: a
/// state behind HTTP.</summary>
internal static class Eventually
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(15);

    /// <summary>Asks until the answer is accepted; fails with the last answer when the time is over.</summary>
    public static async Task<T> SeesAsync<T>(Func<Task<T>> ask, Func<T, bool> accept, string what, double seconds = 20, TimeSpan? pause = null)
    {
        var clock = Stopwatch.StartNew();
        while (true)
        {
            var answer = await ask();
            if (accept(answer))
                return answer;
            if (clock.Elapsed.TotalSeconds > seconds)
                Assert.Fail($"waited {seconds} s in vain for: {what}. Last seen: {answer}");
            await Task.Delay(pause ?? Pause);
        }
    }
}
