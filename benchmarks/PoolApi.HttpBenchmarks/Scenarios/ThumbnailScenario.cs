using System.Globalization;
using PoolApi.HttpBenchmarks.Baseline;
using PoolApi.HttpBenchmarks.Contenders;
using PoolApi.HttpBenchmarks.Load;
using PoolApi.HttpBenchmarks.Reporting;
using PoolApi.JobBenchmarks.Load;

namespace PoolApi.HttpBenchmarks.Scenarios;

/// <summary>The cost of the server around real work: thumbnails over HTTP, compared with the same call in a loop on as many bare threads.</summary>
internal sealed class ThumbnailScenario : IScenario
{
    private const int Clients = 16, Workers = 2, Rounds = 7;
    private const double RatioBar = 0.95;

    private static readonly TimeSpan Duration = TimeSpan.FromSeconds(8), WarmUp = TimeSpan.FromSeconds(3);

    // wrk's last requests teach overload control that clients leave. It forgets so few of them in less than this time.
    private static readonly TimeSpan Forgetting = TimeSpan.FromSeconds(6);

    public string Name => "thumbnails";

    public string Summary => $"thumbnails of a JPEG of 800 × 600, {Clients} clients and {Workers} workers, and a loop on {Workers} bare threads ({Wrk.Describe(Clients)})";

    public void Run(Settings settings, Report report, Overview overview)
    {
        ContenderKind pool = ContenderCatalogue.PoolApi;
        if (!settings.Contenders.Contains(pool)) return;
        TimeSpan duration = settings.Duration ?? Duration;
        var samples = new Samples();
        using ServerProcess server = pool.Start(settings, Workers);
        var target = new Target(
            new Uri(server.Routes.Base, $"/v1/thumbnails?width={BareThumbnails.Width}"), "POST", [$"Content-Type: {SampleImage.ContentType}"], BareThumbnails.Image());
        Load(WarmUp);
        for (int round = 0; round < (settings.Rounds ?? Rounds); round++)
        {
            double bare = round % 2 != 0 ? BareThumbnails.Measure(Workers, duration) : 0;
            double served = Load(duration);
            if (round % 2 == 0) bare = BareThumbnails.Measure(Workers, duration);
            samples.Add("the service", served);
            samples.Add("bare threads", bare);
            samples.Add("ratio", served / bare);
            Console.Error.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  {served:F1} of {bare:F1}/s"));
        }

        SpreadTable.Print($"{Name}: {Summary} (thumbnails/s, more is better)", samples);
        overview.Add(pool.Name, $"{Name}: service ÷ bare threads", Figures.Ratio(samples.Median("ratio")));
        report.Add(Bar.AtLeast(Name, RatioBar, "bare threads", samples.Median("ratio")));

        double Load(TimeSpan time)
        {
            double rate = Wrk.Run(target, Clients, time);
            if (Wrk.IsInstalled) Thread.Sleep(Forgetting);
            return rate;
        }
    }
}
