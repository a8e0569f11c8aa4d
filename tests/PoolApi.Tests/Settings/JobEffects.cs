using System.Text.Json.Nodes;
using Microsoft.Extensions.Options;
using PoolApi.Tests.Service;
using Effect = System.Func<System.Threading.Tasks.Task>;

namespace PoolApi.Tests.Settings;

/// <summary>Shows the effect of each setting of the jobs.</summary>
/// <remarks>A setting whose effect takes the death of an instance or many seconds is checked in the options of the running service.</remarks>
internal static class JobEffects
{
    public static readonly Dictionary<string, Effect> All = new()
    {
        ["Jobs:Store"] = () => SeeAsync(
            static async (_, client, _) =>
            {
                using HttpResponseMessage jobs = await client.GetAsync("/v1/jobs", ServiceApp.Token);
                await ServiceApp.AssertProblem(jobs, 404, "not-found");
            },
            ("Jobs:Path", ""), ("Jobs:Store", "none")),
        ["Jobs:Path"] = () => SeeAsync(static (_, _, file) =>
        {
            Assert.True(File.Exists(file));
            return Task.CompletedTask;
        }),
        ["Jobs:ConnectionString"] = () => SeeSchemaAsync("poolapi"),
        ["Jobs:Schema"] = () => SeeSchemaAsync("elsewhere", ("Jobs:Schema", "elsewhere")),
        ["Jobs:MaxAttempts"] = () => SeeAsync(
            static async (_, client, _) =>
            {
                using HttpResponseMessage accepted = await SendAsync(client, "respond-async", body: "");
                Assert.Equal(202, (int)accepted.StatusCode);
                Assert.Equal(7, (int)JsonNode.Parse(await accepted.Content.ReadAsStringAsync(ServiceApp.Token))!["maxAttempts"]!);
            },
            ("Jobs:MaxAttempts", "7")),
        ["Jobs:MaxPayloadBytes"] = () => SeeAsync(
            static async (_, client, _) =>
            {
                using HttpResponseMessage refused = await SendAsync(client, "respond-async", body: "more than ten bytes");
                await ServiceApp.AssertProblem(refused, 413, "payload-too-large");
            },
            ("Jobs:MaxPayloadBytes", "10")),
        ["Jobs:MaxResultBytes"] = () => SeeAsync(
            static async (_, client, _) =>
            {
                using HttpResponseMessage failed = await SendAsync(client, "respond-async, wait=150", body: "");
                await ServiceApp.AssertProblem(failed, 500, "result-too-large");
            },
            ("Jobs:MaxResultBytes", "4")),
        ["Jobs:MemoryBytes"] = () => OptionAsync("MemoryBytes", "40000000", static options => options.MemoryBytes == 40_000_000),
        ["Jobs:Lease"] = () => OptionAsync("Lease", "00:00:07", static options => options.Lease == TimeSpan.FromSeconds(7)),
        ["Jobs:Share"] = () => OptionAsync("Share", "0.25", static options => options.Share == 0.25),
        ["Jobs:Retention"] = () => OptionAsync("Retention", "00:00:07", static options => options.Retention == TimeSpan.FromSeconds(7)),
        ["Jobs:MaxRedeliveries"] = () => OptionAsync("MaxRedeliveries", "7", static options => options.MaxRedeliveries == 7),
        ["Jobs:RetryDelay"] = () => OptionAsync("RetryDelay", "00:00:07", static options => options.RetryDelay == TimeSpan.FromSeconds(7)),
    };

    private static async Task SeeAsync(Func<ServiceApp, HttpClient, string, Task> see, params (string, string)[] settings)
    {
        using var folder = new TemporaryFolder();
        string file = folder.File("jobs.db");
        await using ServiceApp app = ServiceApp.With([("Jobs:Path", file), .. settings]);
        using HttpClient client = app.CreateClient();
        client.Timeout = Patience.Long;
        await see(app, client, file);
    }

    private static Task OptionAsync(string name, string value, Func<JobsOptions, bool> isSet) => SeeAsync(
        (app, _, _) =>
        {
            Assert.True(isSet(app.Services.GetRequiredService<IOptions<JobsOptions>>().Value));
            return Task.CompletedTask;
        },
        ("Jobs:" + name, value));

    private static async Task<HttpResponseMessage> SendAsync(HttpClient client, string prefer, string body)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/diagnostics/noop") { Content = new StringContent(body), Headers = { { "Prefer", prefer } } };
        return await client.SendAsync(request, ServiceApp.Token);
    }

    /// <summary>The service makes its tables in a schema of a new PostgreSQL server.</summary>
    private static async Task SeeSchemaAsync(string schema, params (string, string)[] settings)
    {
        PostgresCluster.Require();
        await using var cluster = new PostgresCluster();
        await cluster.InitializeAsync();
        await using ServiceApp app = ServiceApp.With([("Jobs:Store", "postgres"), ("Jobs:ConnectionString", cluster.ConnectionString), .. settings]);
        Assert.NotNull(app.Server);
        await Patience.UntilAsync(
            async () => await cluster.ExecuteAsync($"select count(*) from information_schema.tables where table_schema = '{schema}'") is > 0L,
            $"tables in the schema {schema}");
    }
}
