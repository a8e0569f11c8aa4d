using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json;

namespace PoolApi.EndToEnd.Alerts;

/// <summary>Samples that a real Prometheus scraped from the service once a second, replayed to the alert rules at other scrape intervals.</summary>
internal sealed class AlertRecording
{
    public static readonly string Rules = Path.Combine(Repository.Root, "deploy", "prometheus", "rules", "poolapi.yml");

    private const string StartTime = "poolapi_start_time_seconds";

    private readonly List<Recorded> _series;
    private readonly int _scrapes;

    private AlertRecording(List<Recorded> series, int scrapes)
    {
        _series = series;
        _scrapes = scrapes;
    }

    private AlertRecording(IReadOnlyList<JsonElement> recorded)
    {
        var samples = recorded.Select(static series => series.GetProperty("values").EnumerateArray()
            .Select(static sample => (At: sample[0].GetDouble(), Value: double.Parse(sample[1].GetString()!, CultureInfo.InvariantCulture))).ToArray()).ToArray();
        double begin = samples.Min(static series => series[0].At);
        _scrapes = samples.Max(series => Scrape(series[^1].At)) + 1;
        _series = [.. recorded.Select((series, i) => Read(series.GetProperty("metric"), samples[i]))];

        Recorded Read(JsonElement metric, (double At, double Value)[] of)
        {
            Dictionary<string, string> labels = metric.EnumerateObject().ToDictionary(static label => label.Name, static label => label.Value.GetString()!);
            string name = labels["__name__"];
            Dictionary<int, double> values = of.GroupBy(sample => Scrape(sample.At)).ToDictionary(static group => group.Key, static group => group.Last().Value);
            // The first scrape comes at most one interval after the start. On a busy machine it comes later, and the replay multiplies that delay.
            if (name == StartTime)
                values = values.ToDictionary(static value => value.Key, value => Math.Max(value.Value - begin, FirstScrape(values, value.Value) - 1));
            return new Recorded(
                $"{name}{{{string.Join(',', labels.Where(static label => label.Key != "__name__").Select(static label => $"{label.Key}=\"{label.Value}\""))}}}",
                IsTime: name is StartTime or "poolapi_worker_busy_time_seconds_total" or "poolapi_queue_oldest_age_seconds",
                GoesOn: name.EndsWith("_total", StringComparison.Ordinal) || name == "poolapi_queue_oldest_age_seconds",
                values);
        }

        static int FirstScrape(Dictionary<int, double> values, double start) => values.Where(value => value.Value == start).Min(static value => value.Key);

        int Scrape(double at) => (int)Math.Round(at - begin);
    }

    /// <summary>Reads the samples of these metrics that were scraped during the given time before now.</summary>
    public static async Task<AlertRecording> ReadAsync(PrometheusServer prometheus, string metrics, TimeSpan since) =>
        new(await prometheus.QueryAsync(FormattableString.Invariant($"{{__name__=~\"{metrics}\"}}[{Math.Ceiling(since.TotalSeconds)}s]")));

    /// <summary>Only the starts, one scrape each. The time between two starts is not replayed, because the scrape interval could multiply it beyond
    /// the range of a rule.</summary>
    public AlertRecording OfStarts()
    {
        Recorded starts = _series.Single(static series => series.Name.StartsWith(StartTime, StringComparison.Ordinal));
        int count = starts.Values.Values.Distinct().Count();
        Dictionary<int, double> each = Enumerable.Range(0, count).ToDictionary(static scrape => scrape, static scrape => scrape - 1.0); // an interval before its scrape
        return new AlertRecording([starts with { Values = each }], count);
    }

    /// <summary>Replays each second of the recording as one scrape interval. Fails unless promtool reports that these alerts fire.</summary>
    /// <param name="promtool">The program.</param>
    /// <param name="folder">Where its files are written.</param>
    /// <param name="interval">The scrape interval in seconds.</param>
    /// <param name="alerts">The alerts, by name.</param>
    /// <param name="others">Whether other alerts may fire too.</param>
    /// <param name="lasts">How long the last state continues after the recording. Counters and ages keep growing at their last rate.</param>
    public async Task MustRaiseAsync(string promtool, string folder, int interval, string[] alerts, bool others = false, TimeSpan lasts = default)
    {
        int more = (int)(lasts.TotalSeconds / interval);
        var series = new StringBuilder();
        foreach (Recorded one in _series)
        {
            double factor = one.IsTime ? interval : 1;
            IEnumerable<string> values = Enumerable.Range(0, _scrapes + more).Select(scrape => one.At(scrape, _scrapes) is { } value
                ? (value * factor).ToString("F3", CultureInfo.InvariantCulture)
                : "_");
            series.Append(CultureInfo.InvariantCulture, $"      - series: '{one.Name}'\n        values: '{string.Join(' ', values)}'\n");
        }

        // Every 5 s, as in deploy/prometheus. At 60 s, the default of Prometheus for scrapes and evaluations, once for each scrape: the replay takes half of
        // the time.
        int evaluation = interval > 15 ? interval : 5;
        string file = Path.Combine(folder, $"recorded-{Guid.NewGuid():N}.yml");
        await File.WriteAllTextAsync(file, $$"""
            rule_files: ["{{Rules}}"]
            evaluation_interval: {{evaluation}}s
            tests:
              - interval: {{interval}}s
                input_series:
            {{series.ToString().TrimEnd()}}
                promql_expr_test:
                  - expr: count(ALERTS)
                    eval_time: {{interval}}s
                    exp_samples: []
                  - expr: max by (alertname) (max_over_time(ALERTS{alertstate="firing"{{(others ? $",alertname=~\"{string.Join('|', alerts)}\"" : "")}}}[1d]))
                    eval_time: {{interval * (_scrapes + more)}}s
                    exp_samples:
            {{string.Join('\n', alerts.Select(alert => $"          - {{ labels: '{{alertname=\"{alert}\"}}', value: 1 }}"))}}
            """, TestContext.Current.CancellationToken);
        var run = await ProgramRun.ToEndAsync(new ProcessStartInfo(promtool, ["test", "rules", file]), Patience.Long);
        Assert.True(run.ExitCode == 0, $"every {interval} s: {run.Text}\n{await File.ReadAllTextAsync(file, TestContext.Current.CancellationToken)}");
    }

    /// <param name="Name">The series, with its labels.</param>
    /// <param name="IsTime">Whether the values are seconds, which the replay stretches too.</param>
    /// <param name="GoesOn">Whether the series keeps growing while the last state continues.</param>
    /// <param name="Values">The values by the number of the scrape.</param>
    private sealed record Recorded(string Name, bool IsTime, bool GoesOn, Dictionary<int, double> Values)
    {
        // The number of the last scrapes from which the growth is computed.
        private const int Last = 10;

        public double? At(int scrape, int scrapes)
        {
            if (scrape < scrapes) return Values.TryGetValue(scrape, out double value) ? value : null;
            int end = Values.Keys.Max();
            if (end < scrapes - 2) return null; // the series ended before the recording did
            int before = Values.Keys.Where(key => key <= end - Last).DefaultIfEmpty(Values.Keys.Min()).Max();
            double growth = GoesOn && end > before ? Math.Max(0, Values[end] - Values[before]) / (end - before) : 0; // none after a restart
            return Values[end] + (growth * (scrape - end));
        }
    }
}
