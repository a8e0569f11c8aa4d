using System.Text.RegularExpressions;
using PoolApi.AspNetCore.Shutdown;
using PoolApi.AspNetCore.Tests.Support;

namespace PoolApi.AspNetCore.Tests.Endpoints;

/// <summary>Handlers that block on asynchronous code: a stop completes, and the log reports the blocked worker and its work.</summary>
public sealed class BlockedHandlerTests
{
    [Theory]
    [InlineData("/synchronous")]
    [InlineData("/asynchronous")]
    public async Task A_stop_finishes_handlers_that_block_on_asynchronous_code_and_joins_every_thread(string path)
    {
        var release = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        int blocked = 0;
        await using TestApp app = await TestApp.StartAsync(
            app =>
            {
                app.MapGet("/synchronous", () => SlowAsync().Result).RunOnPool();
                app.MapGet("/asynchronous", async () =>
                {
                    await Task.Yield();
                    return SlowAsync().Result;
                }).RunOnPool();
            },
            new() { ["Pool:Workers"] = "2" });
        Task<string>[] requests = [.. Enumerable.Range(0, 8).Select(_ => app.Client.GetStringAsync(path, TestApp.Token))];
        await Patience.UntilAsync(() => app.Pool.GetSnapshot().Accepted == 8 && Volatile.Read(ref blocked) >= 2, "both workers are blocked");

        Task stop = app.App.StopAsync(TestApp.Token);
        await Patience.UntilAsync(() => app.Shutdown.State == ShutdownState.Draining, "draining");
        release.SetResult();

        Assert.All(await Task.WhenAll(requests), static answer => Assert.Equal("1", answer));
        await stop;
        Assert.Matches(
            new Regex("^Shutdown complete: exit 0, accepted 8, completed 8, failed 0, .* abandoned 0, .*joined ([0-9]+)/\\1$"),
            Assert.Single(app.Log.With("Shutdown complete")));

        async Task<int> SlowAsync()
        {
            Interlocked.Increment(ref blocked);
            await release.Task;
            return 1;
        }
    }

    [Fact]
    public async Task The_log_reports_a_stand_in_once_for_each_kind_of_work()
    {
        await using TestApp app = await StartAsync(standIns: 1, Task.Delay(Timeout.InfiniteTimeSpan, TestApp.Token));
        string[] kinds = ["blocks", "other"];
        for (int lines = 1; lines <= kinds.Length; lines++)
        {
            string path = "/" + kinds[lines - 1];
            for (int i = 0; i < 2; i++) Assert.Equal("done", await app.Client.GetStringAsync(path, TestApp.Token));
            // A timer logs it, possibly after the answers. A stand-in that is still there may run the work before the timer sees that it is blocked.
            await Patience.UntilAsync(
                async () =>
                {
                    Assert.Equal("done", await app.Client.GetStringAsync(path, TestApp.Token));
                    return Blocked(app).Length >= lines;
                },
                "the log line");
        }
        Assert.Collection(Blocked(app), [.. kinds.Select<string, Action<(LogLevel Level, string Text)>>(static kind => line =>
        {
            Assert.Equal(LogLevel.Warning, line.Level);
            Assert.Matches(
                $"^Worker 0 \\(cpu-0\\) is blocked by work of its own pool, and a stand-in runs that work: it has been running {kind} \\(/{kind}\\) for [0-9.]+ s\\. "
                + "Await instead of blocking; logged once for each kind$",
                line.Text);
        })]);
    }

    [Fact]
    public async Task The_log_reports_an_error_when_no_stand_in_is_left()
    {
        var release = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using TestApp app = await StartAsync(standIns: 0, release.Task);
        Task<string> blocking = app.Client.GetStringAsync("/blocks", TestApp.Token);
        await Patience.UntilAsync(() => Blocked(app).Length > 0, "the log line");
        release.SetResult();
        Assert.Equal("done", await blocking);
        (LogLevel level, string text) = Assert.Single(Blocked(app));
        Assert.Equal(LogLevel.Error, level);
        Assert.Matches(
            "^Worker 0 \\(cpu-0\\) is blocked by work of its own pool, and every stand-in is in use: it has been running blocks \\(/blocks\\) for [0-9.]+ s\\. "
            + "The pool makes no progress until an item of its workers ends; logged once for each kind$",
            text);
    }

    private static (LogLevel Level, string Text)[] Blocked(TestApp app) =>
        [.. app.Log.Lines.Where(static line => line.Text.StartsWith("Worker 0 (cpu-0) is blocked", StringComparison.Ordinal))];

    /// <summary>Starts an app whose handler blocks until its asynchronous call resumes on the pool or the test releases it.</summary>
    private static Task<TestApp> StartAsync(int standIns, Task release) => TestApp.StartAsync(
        app =>
        {
            foreach (string path in (string[])["/blocks", "/other"])
            {
                app.MapGet(path, async () =>
                {
                    await Task.Yield();
                    Task.WaitAny(BackAsync(), release);
                    return "done";
                }).RunOnPool();
            }
        },
        new() { ["Pools:cpu:Workers"] = "1" },
        builder => builder.Services.AddFixedThreadPool("cpu").ConfigureThreads(o => o.MaxStandIns = standIns),
        pool: false);

    private static async Task BackAsync() => await Task.Yield();
}
