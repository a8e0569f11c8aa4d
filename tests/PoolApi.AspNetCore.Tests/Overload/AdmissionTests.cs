using System.Net;
using PoolApi.AspNetCore.Shutdown;
using PoolApi.AspNetCore.Tests.Support;
using PoolApi.Threading;

namespace PoolApi.AspNetCore.Tests.Overload;

/// <summary>Which requests may wait in the queue and for how long, and how many requests an app admits in all.</summary>
public class AdmissionTests
{
    private static readonly Uri Root = new("/", UriKind.Relative);

    [Fact]
    public async Task A_full_queue_refuses_a_request_at_once_with_Retry_After()
    {
        using var gate = new Gate();
        await using TestApp app = await StartAsync(gate, new() { ["Pool:QueueCapacity"] = "1" });
        Task<string> running = app.Client.GetStringAsync("/", TestApp.Token);
        await gate.NextArrivalAsync();
        Task<string> waiting = app.Client.GetStringAsync("/", TestApp.Token);
        await app.UntilQueued(1);

        using HttpResponseMessage refused = await app.Client.GetAsync(Root, TestApp.Token);
        await ProblemResponse.AssertProblem(refused, "queue-full");
        Assert.True(refused.Headers.RetryAfter!.Delta >= TimeSpan.FromSeconds(1));
        using HttpResponseMessage early = await app.Client.PostAsync(Root, new StringContent("body"), TestApp.Token);
        await ProblemResponse.AssertProblem(early, "queue-full");
        gate.Open();
        Assert.Equal("passed", await running);
        Assert.Equal("passed", await waiting);
        Assert.Equal(2, app.Pool.GetSnapshot().Accepted);
    }

    [Fact]
    public async Task A_request_that_waits_past_MaxQueueTime_expires_and_never_runs()
    {
        using var gate = new Gate();
        await using TestApp app = await TestApp.StartAsync(app =>
        {
            app.MapGet("/", () => gate.Pass()).RunOnPool();
            app.MapPost("/", () => gate.Pass()).RunOnPool(configure: static o => o.MaxQueueTime = TimeSpan.FromMilliseconds(50));
        });
        Task<string> running = app.Client.GetStringAsync("/", TestApp.Token);
        await gate.NextArrivalAsync();
        using HttpResponseMessage expired = await app.Client.PostAsync(Root, new StringContent("body"), TestApp.Token);
        await ProblemResponse.AssertProblem(expired, "expired");
        Assert.NotNull(expired.Headers.RetryAfter);
        Assert.Equal(0, app.PoolContext().Bodies.Used);
        gate.Open();
        Assert.Equal("passed", await running);
        Assert.Equal((1, 1), (app.Pool.GetSnapshot().Counts[WorkOutcome.Completed], app.Pool.GetSnapshot().Counts[WorkOutcome.Expired]));
    }

    [Fact]
    public async Task A_queued_request_whose_client_disconnects_never_runs_and_counts_as_withdrawn()
    {
        using var gate = new Gate();
        int runs = 0;
        await using TestApp app = await TestApp.StartAsync(
            app => app.MapMethods("/", ["GET", "POST"], () =>
            {
                Interlocked.Increment(ref runs);
                return gate.Pass();
            }).RunOnPool(),
            kestrel: true);
        Task<string> running = app.Client.GetStringAsync("/", TestApp.Token);
        await gate.NextArrivalAsync();
        using (RawConnection client = await app.ConnectAsync())
        {
            await client.SendAsync("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello");
            await app.UntilQueued(1);
        }
        await app.UntilQueued(0);
        Assert.Equal(1, app.Pool.GetSnapshot().Counts[WorkOutcome.Withdrawn]);
        await Patience.UntilAsync(() => app.PoolContext().Bodies.Used == 0, "the budget is back");
        gate.Open();
        Assert.Equal("passed", await running);
        Assert.Equal(1, runs);
    }

    [Fact]
    public async Task Exactly_MaxRequests_of_many_concurrent_requests_are_admitted()
    {
        int runs = 0;
        await using TestApp app = await TestApp.StartAsync(
            app => app.MapGet("/", () => Interlocked.Increment(ref runs)).RunOnPool(),
            new() { ["Shutdown:MaxRequests"] = "7", ["Pool:Workers"] = "4" });
        HttpStatusCode[] answers = await Task.WhenAll(Enumerable.Range(0, 50).Select(async _ =>
        {
            using HttpResponseMessage response = await app.Client.GetAsync(Root, TestApp.Token);
            return response.StatusCode;
        }));
        await app.App.WaitForShutdownAsync(TestApp.Token);
        Assert.Equal(7, answers.Count(static s => s == HttpStatusCode.OK));
        Assert.All(answers, static s => Assert.True(s is HttpStatusCode.OK or HttpStatusCode.ServiceUnavailable));
        Assert.Equal(7, runs);
        Assert.StartsWith("Shutdown complete: exit 0, accepted 7, completed 7,", Assert.Single(app.Log.With("Shutdown complete")), StringComparison.Ordinal);
        string[] states = app.Log.With("Shutdown: ");
        Assert.NotEmpty(states);
        Assert.All(states, static l => Assert.Contains(", reason max-requests, ", l, StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_request_that_a_full_queue_refuses_does_not_count_toward_MaxRequests()
    {
        using var gate = new Gate();
        await using TestApp app = await StartAsync(gate, new() { ["Shutdown:MaxRequests"] = "3", ["Pool:QueueCapacity"] = "1" });
        Task<string> running = app.Client.GetStringAsync("/", TestApp.Token);
        await gate.NextArrivalAsync();
        Task<string> waiting = app.Client.GetStringAsync("/", TestApp.Token);
        await app.UntilQueued(1);
        for (int i = 0; i < 5; i++)
        {
            using HttpResponseMessage refused = await app.Client.GetAsync(Root, TestApp.Token);
            await ProblemResponse.AssertProblem(refused, "queue-full");
        }
        gate.Open();
        await running;
        await waiting;
        Assert.Equal(ShutdownState.Running, app.Shutdown.State);
        Assert.Equal("passed", await app.Client.GetStringAsync("/", TestApp.Token));
        await app.App.WaitForShutdownAsync(TestApp.Token);
        using HttpResponseMessage late = await Late(app);
        await ProblemResponse.AssertProblem(late, "draining");

        static async Task<HttpResponseMessage> Late(TestApp app) => await app.Client.GetAsync(Root, TestApp.Token);
    }

    [Fact]
    public async Task A_stop_at_MaxRequests_skips_the_lame_duck_phase()
    {
        await using TestApp app = await TestApp.StartAsync(
            app => app.MapGet("/", () => "done").RunOnPool(), new() { ["Shutdown:MaxRequests"] = "1", ["Shutdown:LameDuck"] = "01:00:00" });
        Assert.Equal("done", await app.Client.GetStringAsync("/", TestApp.Token));
        await app.App.WaitForShutdownAsync(TestApp.Token);
        Assert.DoesNotContain(app.Log.With("Shutdown: "), static l => l.Contains("LameDuck", StringComparison.Ordinal));
    }

    [Fact]
    public async Task The_last_of_MaxRequests_is_answered_although_an_ApplicationStopping_callback_blocks()
    {
        using var gate = new Gate();
        await using TestApp app = await TestApp.StartAsync(
            app => app.MapGet("/", () => "done").RunOnPool(), new() { ["Shutdown:MaxRequests"] = "1" });
        using CancellationTokenRegistration blocks = app.App.Lifetime.ApplicationStopping.Register(() => gate.Pass());

        Assert.Equal("done", await app.Client.GetStringAsync("/", TestApp.Token).Patiently());

        await gate.NextArrivalAsync();
        gate.Open();
        await app.App.WaitForShutdownAsync(TestApp.Token);
    }

    private static Task<TestApp> StartAsync(Gate gate, Dictionary<string, string?> settings) =>
        TestApp.StartAsync(app => app.MapMethods("/", ["GET", "POST"], () => gate.Pass()).RunOnPool(), settings);
}
