using System.Globalization;
using Microsoft.Extensions.Options;
using PoolApi.AspNetCore;
using PoolApi.AspNetCore.Shutdown;
using PoolApi.Tests.Service;
using PoolApi.Threading;
using Effect = System.Func<System.Threading.Tasks.Task>;

namespace PoolApi.Tests.Settings;

/// <summary>Shows the effect of each setting of the pool and of the stop.</summary>
/// <remarks>A setting whose effect takes a minute, or the end of the process, is checked in the options of the running service.</remarks>
internal static class PoolEffects
{
    private const string Noop = "/v1/diagnostics/noop";

    public static readonly Dictionary<string, Effect> All = new()
    {
        ["Pool:Name"] = () => SeeAsync(static (pool, _) => Assert.Equal("elsewhere", pool.Name), ("Pool:Name", "elsewhere")),
        ["Pool:Workers"] = () => SeeAsync(static (pool, _) => Assert.Equal(3, pool.GetSnapshot().Workers.Count), ("Pool:Workers", "3")),
        ["Pool:QueueCapacity"] = () => WhileBusyAsync(
            static async (pool, client) =>
            {
                Assert.True(pool.Post(static () => { }));
                await RefusedAsync(client, Noop, 503, "queue-full");
            },
            ("Pool:QueueCapacity", "1")),
        ["Pool:MaxQueueTime"] = () => WhileBusyAsync(
            static (_, client) => RefusedAsync(client, Noop, 503, "expired"), ("Pool:MaxQueueTime", "00:00:00.0500000")),
        ["Pool:MaxRunTime"] = () => SeeAsync(
            static (_, client) => RefusedAsync(client, "/v1/diagnostics/sleep?ms=3600000", 504, "run-timeout"), ("Pool:MaxRunTime", "00:00:00.0500000")),
        ["Pool:MaxBodyBytes"] = () => SeeAsync(static (_, client) => TooLargeAsync(client), ("Pool:MaxBodyBytes", "1000")),
        ["Pool:QueueBytes"] = () => SeeAsync(static (_, client) => TooLargeAsync(client), ("Pool:QueueBytes", "1000")),
        ["Pool:ServerTiming"] = async () => Assert.Equal((true, false), (await HasServerTimingAsync("true"), await HasServerTimingAsync("false"))),
        ["Pool:Nice"] = () => SeeAsync(
            static async (pool, _) => Assert.Equal(Math.Min(19, NiceOf("/proc/self/stat") + 7), await pool.RunAsync(static () => NiceOf("/proc/thread-self/stat"))),
            ("Pool:Nice", "7")),
        ["Pool:OverloadControl"] = () => PoolOptionAsync("OverloadControl", "false", static options => !options.OverloadControl),
        ["Pool:StuckAfter"] = () => PoolOptionAsync("StuckAfter", "00:00:07", static options => options.StuckAfter == TimeSpan.FromSeconds(7)),

        ["Shutdown:LameDuck"] = () => StopOptionAsync("LameDuck", "00:00:07", static options => options.LameDuck == TimeSpan.FromSeconds(7)),
        ["Shutdown:Drain"] = () => StopOptionAsync("Drain", "00:00:07", static options => options.Drain == TimeSpan.FromSeconds(7)),
        ["Shutdown:Cancel"] = () => StopOptionAsync("Cancel", "00:00:07", static options => options.Cancel == TimeSpan.FromSeconds(7)),
        ["Shutdown:Watchdog"] = () => StopOptionAsync("Watchdog", "false", static options => !options.Watchdog),
        ["Shutdown:MaxRequests"] = async () =>
        {
            await using ServiceApp app = With(("Shutdown:MaxRequests", "1"));
            using HttpClient client = app.CreateClient();
            var stopping = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            using var registration = app.Services.GetRequiredService<IHostApplicationLifetime>().ApplicationStopping.Register(stopping.SetResult);
            Assert.Equal("done\n", await client.GetStringAsync(Noop, ServiceApp.Token));
            await stopping.Task.Patiently();
        },
    };

    private static ServiceApp With(params ReadOnlySpan<(string, string)> settings) => ServiceApp.With([("Jobs:Store", "none"), .. settings]);

    private static Task SeeAsync(Action<FixedThreadPool, HttpClient> see, params ReadOnlySpan<(string, string)> settings) =>
        SeeAsync(
            (pool, client) =>
            {
                see(pool, client);
                return Task.CompletedTask;
            },
            settings);

    private static Task SeeAsync(Func<FixedThreadPool, HttpClient, Task> see, params ReadOnlySpan<(string, string)> settings) => SeeAsync(see, With(settings));

    private static async Task SeeAsync(Func<FixedThreadPool, HttpClient, Task> see, ServiceApp app)
    {
        await using var end = app;
        using HttpClient client = app.CreateClient();
        client.Timeout = Patience.Long;
        await see(app.Services.GetRequiredService<FixedThreadPool>(), client);
    }

    /// <summary>Looks at the service while its only worker is busy.</summary>
    private static Task WhileBusyAsync(Func<FixedThreadPool, HttpClient, Task> see, (string, string) setting) => SeeAsync(
        async (pool, client) =>
        {
            using var gate = new Gate();
            Task<string>? busy = null;
            await Patience.UntilAsync(
                () =>
                {
                    // With a short MaxQueueTime on a busy machine, the item may expire before the worker takes it. Then another one is submitted.
                    if (busy is null or { IsCompleted: true }) busy = pool.RunAsync(() => gate.Pass()).AsTask();
                    return gate.Arrived > 0;
                },
                "the worker is busy");
            await see(pool, client);
            gate.Open();
            await busy!.Patiently();
        },
        ("Pool:Workers", "1"), setting);

    private static async Task RefusedAsync(HttpClient client, string path, int status, string problem)
    {
        using HttpResponseMessage refused = await client.GetAsync(path, ServiceApp.Token);
        await ServiceApp.AssertProblem(refused, status, problem);
    }

    private static async Task TooLargeAsync(HttpClient client)
    {
        using var body = new ByteArrayContent(new byte[1001]);
        using HttpResponseMessage refused = await client.PostAsync("/v1/thumbnails?width=8", body, ServiceApp.Token);
        await ServiceApp.AssertProblem(refused, 413, "payload-too-large");
    }

    private static async Task<bool> HasServerTimingAsync(string setting)
    {
        await using ServiceApp app = With(("Pool:ServerTiming", setting));
        using HttpClient client = app.CreateClient();
        using HttpResponseMessage answer = await client.GetAsync(Noop, ServiceApp.Token);
        Assert.Equal(200, (int)answer.StatusCode);
        return answer.Headers.Contains("Server-Timing");
    }

    /// <summary>The nice value of a process or thread: the 19th field of proc_pid_stat(5). The second field is a name, which may contain spaces.</summary>
    private static int NiceOf(string stat)
    {
        string text = File.ReadAllText(stat);
        return int.Parse(text[(text.LastIndexOf(')') + 2)..].Split(' ')[19 - 3], CultureInfo.InvariantCulture);
    }

    private static async Task PoolOptionAsync(string name, string value, Func<PoolOptions, bool> isSet)
    {
        await using ServiceApp app = With(("Pool:" + name, value));
        Assert.True(isSet(app.Services.GetRequiredService<IOptionsMonitor<PoolOptions>>().Get("cpu")));
    }

    private static async Task StopOptionAsync(string name, string value, Func<ShutdownOptions, bool> isSet)
    {
        await using ServiceApp app = With(("Shutdown:" + name, value));
        Assert.True(isSet(app.Services.GetRequiredService<IOptions<ShutdownOptions>>().Value));
    }
}
