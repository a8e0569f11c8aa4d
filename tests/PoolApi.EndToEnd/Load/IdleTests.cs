namespace PoolApi.EndToEnd.Load;

/// <summary>P6: an idle pool uses no CPU, however many workers it has.</summary>
[Collection(Heavy.Name)]
public sealed class IdleTests
{
    // An empty ASP.NET Core app uses 0 to 2 ticks (hundredths of a second) in ten idle seconds: Kestrel's heartbeat, the runtime's own
    // timers. Workers that polled once in 10 ms would use hundreds. The strict figure (2 ticks beyond an empty app) is for a quiet
    // machine, not for a test.
    private const long MostTicks = 10;
    private static readonly TimeSpan Watched = TimeSpan.FromSeconds(10);

    // Both forms at once, because the test spends its time on observing.
    [Fact]
    public Task Sixty_four_idle_workers_use_no_CPU() => Task.WhenAll(WatchAsync(ServiceForm.FrameworkDependent), WatchAsync(ServiceForm.NativeAot));

    private static async Task WatchAsync(ServiceForm form)
    {
        await using var service = await PoolApiProcess.StartAsync(form, "--Pool:Workers 64", PoolApiProcess.Diagnostics);
        await Task.WhenAll(Enumerable.Range(0, 200).Select(_ => service.Api.PostAsync("/v1/diagnostics/noop")));
        // The start continues in the background for a while after the first answers (tiered compilation), on a busy machine for minutes. So the test
        // waits for ten quiet seconds. If workers polled, there would be none.
        await Eventually.SeesAsync(
            async () =>
            {
                long before = ProcessFacts.Ticks(service.Id);
                await Task.Delay(Watched, TestContext.Current.CancellationToken); // the measured period
                return ProcessFacts.Ticks(service.Id) - before;
            },
            static used => used <= MostTicks,
            $"{form}: ten seconds with at most {MostTicks} ticks");
    }
}
