using System.Diagnostics;

namespace PoolApi.EndToEnd.Load;

/// <summary>P8: endpoints that do not use the pool stay fast while the pool is full.</summary>
[Collection(Quiet.Name)]
public sealed class NeighbourTests
{
    private const int PerSecond = 150; // the workers can do 50
    private const int Seconds = 10;

    [Fact]
    public async Task The_health_endpoint_stays_fast_under_three_times_the_capacity_of_the_pool()
    {
        await using var service = await PoolApiProcess.StartAsync(
            ServiceForm.Any, "--Pool:Workers 20", "--Pool:QueueCapacity 100", "--Pool:MaxQueueTime 00:10:00", PoolApiProcess.Diagnostics);
        // The first answers of a cold process are slow and are not measured.
        await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => service.Api.PostAsync("/v1/diagnostics/sleep?ms=100")));

        var work = OpenLoopAsync(PerSecond, PerSecond * Seconds, () => service.Api.PostAsync("/v1/diagnostics/sleep?ms=400"));
        var probes = OpenLoopAsync(20, 20 * Seconds, () => service.Management.GetAsync("/livez"));

        Assert.Equal([200, 503], (await work).Select(call => call.Answer.Status).Distinct().Order()); // the pool was full
        Assert.All(await probes, call => call.Answer.MustBe(200));
        double median = (await probes).Select(call => call.Milliseconds).Order().ElementAt(10 * Seconds);
        // 2 ms on a quiet machine, 9 s with the same work inline. A benchmark holds the strict limit of 10 ms.
        Assert.InRange(median, 0, MachineLoad.Stretch(2000));
    }

    // Each request starts at its planned time, even if earlier ones have not completed, and its latency counts from that time.
    private static async Task<(Answer Answer, double Milliseconds)[]> OpenLoopAsync(double perSecond, int count, Func<Task<Answer>> send)
    {
        var clock = Stopwatch.StartNew();
        var calls = new Task<(Answer, double)>[count];
        for (int i = 0; i < count; i++)
        {
            var due = TimeSpan.FromSeconds(i / perSecond);
            if (due - clock.Elapsed is { Ticks: > 0 } early)
                await Task.Delay(early, TestContext.Current.CancellationToken); // the pace of the arrivals
            calls[i] = CallAsync(due);
        }

        return await Task.WhenAll(calls);

        async Task<(Answer, double)> CallAsync(TimeSpan due)
        {
            var answer = await send();
            return (answer, (clock.Elapsed - due).TotalMilliseconds);
        }
    }
}
