using PoolApi.Dashboard.Recording;
using PoolApi.Threading.Core.Recording;

namespace PoolApi.Dashboard.History;

/// <summary>Histograms of queue time and run time by kind, for a bounded number of kinds.</summary>
internal sealed class KindTimes
{
    public const int MostKinds = 16;
    public const string Others = "(other)";

    private readonly Dictionary<string, (Histogram Waiting, Histogram Running)> _byKind = new(StringComparer.Ordinal);

    public void Add(RecordedItem item, in PoolTime time)
    {
        (Histogram waiting, Histogram running) = Of(item.Kind);
        if (item.EnqueuedAt is { } enqueued && item.Form != RecordForm.Late && (item.Form != RecordForm.End || item.StartedAt is null))
            waiting.Add(Math.Max(0, time.ToMilliseconds((item.StartedAt ?? item.EndedAt) - enqueued)));
        if (item.Form == RecordForm.Run)
            running.Add(time.ToMilliseconds(item.EndedAt - item.StartedAt!.Value) / item.Count, item.Count);
        else if (item.Outcome is not null && item.ItemStartedAt is { } started)
            running.Add(Math.Max(0, time.ToMilliseconds(item.EndedAt - started)));
    }

    public void Add(KindTimes other)
    {
        foreach ((string kind, (Histogram waiting, Histogram running)) in other._byKind)
        {
            (Histogram mine, Histogram myRunning) = Of(kind);
            mine.Add(waiting);
            myRunning.Add(running);
        }
    }

    public IReadOnlyList<KindSample> ToSamples()
    {
        List<KindSample>? samples = null;
        foreach ((string kind, (Histogram waiting, Histogram running)) in _byKind)
        {
            if (waiting.Total + running.Total > 0) (samples ??= []).Add(new KindSample(kind, Percentiles.Of(waiting), Percentiles.Of(running)));
        }
        return samples ?? (IReadOnlyList<KindSample>)[];
    }

    public void Clear()
    {
        foreach ((Histogram waiting, Histogram running) in _byKind.Values)
        {
            waiting.Clear();
            running.Clear();
        }
    }

    private (Histogram Waiting, Histogram Running) Of(string kind)
    {
        if (_byKind.TryGetValue(kind, out (Histogram, Histogram) times)) return times;
        if (_byKind.Count >= MostKinds && kind != Others) return Of(Others);
        return _byKind[kind] = (new Histogram(), new Histogram());
    }
}
