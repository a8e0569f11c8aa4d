using System.Collections.Concurrent;
using System.Globalization;
using System.Text.RegularExpressions;

namespace PoolApi.EndToEnd.Stopping;

/// <summary>P1 across a stop: the numbers in the log's last line agree with the answers of the clients.</summary>
public sealed partial class AccountTests
{
    private const string Ok = "200";
    private const string HungUp = "hung up";
    private static readonly string[] Known = [Ok, HungUp, "queue-full", "overloaded", "draining", "state-unknown", "not-started"];

    [Fact]
    public async Task A_stop_at_any_moment_of_any_load_accounts_for_every_request()
    {
        int runs = LongTests.Wanted ? 200 : 15;
        int seed = Random.Shared.Next();
        var output = TestContext.Current.TestOutputHelper!;
        output.WriteLine($"seed {seed}");
        var options = new ParallelOptions { MaxDegreeOfParallelism = 2, CancellationToken = TestContext.Current.CancellationToken };
        await Parallel.ForAsync(0, runs, options, async (run, _) =>
        {
            var random = new Random(unchecked(seed + run));
            string description = await RunAsync(random, endless: run % 3 == 2);
            output.WriteLine($"run {run}: {description}");
        });
    }

    [Fact]
    public async Task After_1000_requests_under_64_clients_exactly_1000_have_run()
    {
        await using var service = await PoolApiProcess.StartAsync(
            ServiceForm.NativeAot,
            ["--Pool:Workers 2", "--Shutdown:MaxRequests 1000", .. StopTimes.Settings, PoolApiProcess.Diagnostics]);
        var tally = new ConcurrentDictionary<string, int>();
        using var over = new CancellationTokenSource();
        var clients = Enumerable.Range(0, 64).Select(_ => LoopAsync(service, tally, () => "/v1/diagnostics/noop", over.Token)).ToArray();

        var summary = await service.ReadSummaryAsync();
        await over.CancelAsync();
        await Task.WhenAll(clients);

        Assert.Equal(new ShutdownSummary(0, 1000, 1000, 0, 0, 0, 0, 0, 0, 2, 2), summary);
        Assert.Equal(1000, tally[Ok]);
        Assert.All(tally.Keys, answer => Assert.True(answer is Ok or "draining", answer));
    }

    /// <param name="random">Chooses the load and the moment of the stop.</param>
    /// <param name="endless">Whether there is work that cannot finish before the deadline.</param>
    private static async Task<string> RunAsync(Random random, bool endless)
    {
        int lameDuck = random.Next(2) * random.Next(300);
        int drain = endless ? 300 : 10_000;
        await using var service = await PoolApiProcess.StartAsync(
            ServiceForm.NativeAot, "--Pool:Workers 2", "--Pool:QueueCapacity 6",
            $"--Shutdown:LameDuck {TimeSpan.FromMilliseconds(lameDuck):c}",
            $"--Shutdown:Drain {TimeSpan.FromMilliseconds(drain):c}", PoolApiProcess.Diagnostics);
        var tally = new ConcurrentDictionary<string, int>();
        using var over = new CancellationTokenSource();
        var clients = Enumerable.Range(0, 4).Select(_ => LoopAsync(service, tally, () => "/v1/diagnostics/noop", over.Token)).ToList();
        for (int i = 0; i < 6; i++)
        {
            var own = new Random(random.Next());
            clients.Add(LoopAsync(service, tally, () => $"/v1/diagnostics/sleep?ms={own.Next(1, 20)}", over.Token));
        }

        for (int i = 0; i < 3; i++)
            clients.Add(HangUpAsync(service, tally, new Random(random.Next()), over.Token));
        // Two or more of them occupy both workers, so some queued items are not started.
        int left = endless ? random.Next(1, 4) : 0;
        for (int i = 0; i < left; i++)
            clients.Add(LoopAsync(service, tally, () => "/v1/diagnostics/sleep?ms=3600000", over.Token));
        int moment = random.Next(20, 500);
        await Task.Delay(moment, TestContext.Current.CancellationToken); // the moment that is tried

        service.Send(UnixSignal.Terminate);
        var summary = await service.ReadSummaryAsync();
        await over.CancelAsync();
        await Task.WhenAll(clients);

        string description = $"stopped after {moment} ms, lame duck {lameDuck} ms: {summary}; clients: "
            + string.Join(", ", tally.OrderBy(pair => pair.Key, StringComparer.Ordinal).Select(pair => $"{pair.Value} {pair.Key}"));
        try
        {
            Assert.Empty(tally.Keys.Except(Known)); // such as a 500
            MustAgree(summary, key => tally.GetValueOrDefault(key));
            Assert.Equal((2, 2), (summary.Joined, summary.Workers));
            if (!endless)
                Assert.Equal((0, 0), (summary.Exit, summary.NotStarted));
        }
        catch (Xunit.Sdk.XunitException e)
        {
            Assert.Fail($"{description}\n{e.Message}\n{service.Log}");
        }

        return description;
    }

    /// <summary>The summary must agree with what the clients know. Clients that hang up request work that never completes, so every completed item
    /// has been answered. Their items ended in one of three ways, or were never accepted.</summary>
    private static void MustAgree(ShutdownSummary summary, Func<string, int> tally)
    {
        summary.MustAddUp();
        Assert.Equal(tally(Ok), summary.Completed);
        Assert.Equal((0, 0, 0), (summary.Failed, summary.Expired, summary.Abandoned));
        int unknown = summary.Cancelled + summary.ClientGone + summary.NotStarted - tally("state-unknown") - tally("not-started");
        Assert.InRange(unknown, 0, tally(HungUp));
        Assert.InRange(summary.NotStarted, tally("not-started"), tally("not-started") + tally(HungUp));
        // The exit code reports whether the stop left work unfinished.
        bool left = tally("state-unknown") + tally("not-started") > 0;
        Assert.True(summary.Exit == 0 || summary.Exit == 3, $"exit {summary.Exit}");
        if (left)
            Assert.Equal(3, summary.Exit);
    }

    private static async Task LoopAsync(
        PoolApiProcess service, ConcurrentDictionary<string, int> tally, Func<string> target, CancellationToken over)
    {
        await Task.Yield();
        using var client = new KeepAliveClient(service.Api.Port);
        while (!over.IsCancellationRequested)
        {
            var answer = await client.PostAsync(target());
            if (answer is null)
                await Task.Delay(5, CancellationToken.None); // the service has stopped or is stopping
            else
                tally.AddOrUpdate(NameOf(answer), 1, (_, n) => n + 1);
        }
    }

    private static async Task HangUpAsync(
        PoolApiProcess service, ConcurrentDictionary<string, int> tally, Random random, CancellationToken over)
    {
        while (!over.IsCancellationRequested)
        {
            try
            {
                using var connection = await RawConnection.OpenAsync(service.Api.Port);
                await connection.SendAsync(
                    "POST /v1/diagnostics/sleep?ms=3600000 HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\n\r\n");
                tally.AddOrUpdate(HungUp, 1, (_, n) => n + 1);
                await Task.Delay(random.Next(30), CancellationToken.None); // the moment at which the client leaves
            }
            catch (Exception e) when (e is IOException or System.Net.Sockets.SocketException)
            {
                await Task.Delay(5, CancellationToken.None); // the service has stopped: the client's pause before it tries again
            }
        }
    }

    private static string NameOf(Answer answer) => answer.Status == 503
        ? ProblemName().Match(answer.Text).Groups[1].Value
        : answer.Status.ToString(CultureInfo.InvariantCulture);

    [GeneratedRegex("urn:poolapi:problem:([a-z-]+)")]
    private static partial Regex ProblemName();
}
