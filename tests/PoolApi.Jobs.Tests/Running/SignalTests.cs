using System.Diagnostics;
using PoolApi.Jobs.Running;

namespace PoolApi.Jobs.Tests.Running;

/// <summary>P6: who waits for less than a timer can count does not ask again and again until it is over.</summary>
public class SignalTests
{
    [Theory]
    [InlineData(900)]
    [InlineData(1_900)]
    [InlineData(2_990)]
    public async Task What_is_left_of_a_millisecond_is_waited_for_in_a_few_rounds(int microseconds)
    {
        var signal = new Signal();
        TimeSpan time = TimeSpan.FromMicroseconds(microseconds);
        for (int i = 0; i < 20; i++)
        {
            long since = Stopwatch.GetTimestamp();
            int rounds = 0;
            while (time - Stopwatch.GetElapsedTime(since) is { Ticks: > 0 } left)
            {
                rounds++;
                await signal.WaitAsync(left, TimeProvider.System, TestContext.Current.CancellationToken);
            }
            Assert.InRange(rounds, 0, 4); // a timer may be early by less than a millisecond
        }
    }
}
