using System.Globalization;
using PoolApi.HttpBenchmarks.Load;
using PoolApi.JobBenchmarks.Load;
using PoolApi.JobBenchmarks.Peers;
using PoolApi.JobBenchmarks.Stores;

namespace PoolApi.JobBenchmarks.Scenarios;

/// <summary>
/// Durable accepts over HTTP, at the service and at a small ASP.NET Core server that commits each job. The jobs are due tomorrow, so
/// that only their acceptance is measured and none runs in between.
/// </summary>
internal sealed class HttpAcceptScenario : IScenario
{
    private const string Other = "one commit each";
    private const double RateBar = 3;
    private const int Clients = 64, Rounds = 7, WarmUps = 3, Accepted = 202;

    private static readonly TimeSpan
        Duration = TimeSpan.FromSeconds(5), WarmUp = TimeSpan.FromSeconds(1), CompilerPause = TimeSpan.FromMilliseconds(500);

    public string Name => "http-accept";

    public string Summary => $"durable accepts over HTTP into SQLite, {Clients} clients, and at a server that commits each";

    public async Task RunAsync(Settings settings, Report report)
    {
        TimeSpan duration = settings.Duration ?? Duration;
        using var folder = new DataFolder(settings);
        using ServerProcess service = PoolApiProgram.Start(
            settings.PoolApi, "--Workloads:Diagnostics", "true", "--Jobs:Store", "sqlite", "--Jobs:Path", folder.File("poolapi.db"));
        int port = FreePort.Next();
        using ServerProcess server = ServerProcess.Start(
            ThisProgram.With(OneCommitServer.Command, $"{port}", folder.File("one-commit.db")), Routes.OfOthers(port));
        // Both servers are up at once. The one that is not measured is idle and uses no processor time.
        using var ofService = new HttpCallers(Target(service), Clients, Accepted);
        using var ofServer = new HttpCallers(Target(server), Clients, Accepted);
        for (int i = 0; i < WarmUps; i++)
        {
            await ofService.RunAsync(WarmUp);
            await ofServer.RunAsync(WarmUp);
            await Task.Delay(CompilerPause);
        }
        var duel = new Duel(Name, "PoolApi", Other);
        await duel.RunAsync(
            settings.Rounds ?? Rounds,
            async () => Accepts.Of(await ofService.RunAsync(duration)), async () => Accepts.Of(await ofServer.RunAsync(duration)));
        duel.Print($"{Name}: {Summary}");
        report.Add(Bar.AtLeast($"{Name}, {Accepts.Rate}", RateBar, Other, duel.Ratio(Accepts.Rate)));
    }

    private static Target Target(ServerProcess server)
    {
        string tomorrow = DateTimeOffset.UtcNow.AddDays(1).ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture);
        return new Target(
            new Uri(server.Routes.Base, SampleJobs.NoopPath), "POST",
            ["Prefer: respond-async", $"Job-Run-At: {tomorrow}", $"Content-Type: {SampleJobs.ContentType}"], SampleJobs.Body);
    }
}
