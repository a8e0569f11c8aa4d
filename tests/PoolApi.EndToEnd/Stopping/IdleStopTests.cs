using System.Diagnostics;

namespace PoolApi.EndToEnd.Stopping;

/// <summary>Who has nothing to do is gone at once.</summary>
/// <remarks>
/// The promise is one second, which the output shows. What the tests hold, on however busy a machine, is that nobody waits for a deadline,
/// which is far away here.
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
            // Some of them just after it.
            int moment = random.Next(startTime * 5 / 4);
            await Task.Delay(moment, TestContext.Current.CancellationToken); // the moment that is tried

            var clock = Stopwatch.StartNew();
            service.Send(UnixSignal.Terminate);
            int code = await service.WaitForExitAsync();

            output.WriteLine($"after {moment} ms: exit {code} in {clock.ElapsedMilliseconds} ms");
            // 143 by the kernel, as long as nobody handles the signal; a clean stop from then on.
            Assert.True(code is 0 or 143, $"exit {code} after {moment} ms:\n{service.Log}");
            Assert.InRange(clock.Elapsed, TimeSpan.Zero, LongBefore);
        }
    }

    // The middle of three: how long a start takes is the machine's to say.
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
