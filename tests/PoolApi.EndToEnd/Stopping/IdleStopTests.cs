using System.Diagnostics;

namespace PoolApi.EndToEnd.Stopping;

/// <summary>A service without work stops at once.</summary>
/// <remarks>
/// The promise is one second. The test output shows the time. The tests, which may run on a busy machine, only require that no stop waits for its
/// deadline, which is far away here.
/// </remarks>
public sealed class IdleStopTests
{
    private const string FarDeadline = "--Shutdown:Drain 00:05:00";

    private static readonly TimeSpan LongBefore = TimeSpan.FromMinutes(1);

    [Fact]
    public async Task An_idle_service_without_lame_duck_exits_with_0_long_before_the_drain_deadline()
    {
        var times = new List<double>();
        for (int i = 0; i < 20; i++)
        {
            await using var service = await PoolApiProcess.StartAsync(ServiceForm.NativeAot, "--Pool:Workers 2", FarDeadline);
            var clock = Stopwatch.StartNew();
            Assert.Equal(new ShutdownSummary(0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 2), await service.StopAsync());
            times.Add(clock.Elapsed.TotalSeconds);
        }

        TestContext.Current.TestOutputHelper!.WriteLine($"seconds: {string.Join(' ', times.Order().Select(time => $"{time:F3}"))}");
        Assert.InRange(times.Max(), 0, LongBefore.TotalSeconds);
    }

    [Fact]
    public async Task A_SIGTERM_at_any_moment_of_the_start_ends_the_process_long_before_the_drain_deadline()
    {
        int seed = Random.Shared.Next();
        var random = new Random(seed);
        var output = TestContext.Current.TestOutputHelper!;
        int startTime = await StartTimeAsync();
        output.WriteLine($"seed {seed}, ready after {startTime} ms");
        int runs = LongTests.Wanted ? 200 : 10;
        for (int i = 0; i < runs; i++)
        {
            await using var service = await LaunchAsync();
            // Some moments are just after the start.
            int moment = random.Next(startTime * 5 / 4);
            await Task.Delay(moment, TestContext.Current.CancellationToken); // the moment that is tried

            var clock = Stopwatch.StartNew();
            service.Send(UnixSignal.Terminate);
            int code = await service.WaitForExitAsync();

            output.WriteLine($"after {moment} ms: exit {code} in {clock.ElapsedMilliseconds} ms");
            // Until the process has a handler for the signal, the kernel ends it with 143. From then on the stop is clean.
            Assert.True(code is 0 or 143, $"exit {code} after {moment} ms:\n{service.Log}");
            Assert.InRange(clock.Elapsed, TimeSpan.Zero, LongBefore);
        }
    }

    // The median of three, because the duration of a start depends on the machine.
    private static async Task<int> StartTimeAsync()
    {
        var times = new List<int>();
        for (int i = 0; i < 3; i++)
        {
            var clock = Stopwatch.StartNew();
            await using var service = await LaunchAsync();
            await service.WaitForLineAsync("Application started");
            times.Add((int)clock.ElapsedMilliseconds);
        }

        return times.Order().ElementAt(1);
    }

    private static Task<PoolApiProcess> LaunchAsync() =>
        PoolApiProcess.LaunchAsync(ServiceForm.NativeAot, onePort: false, environment: null, "--Pool:Workers 2", FarDeadline);
}
