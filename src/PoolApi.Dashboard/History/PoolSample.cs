namespace PoolApi.Dashboard.History;

/// <summary>A pool over a second, or over ten. Counts are of this time alone.</summary>
internal sealed record PoolSample
{
    /// <summary>The end of the time, in milliseconds since 1970.</summary>
    public required long At { get; init; }

    /// <summary>How long it was.</summary>
    public required double Seconds { get; init; }

    /// <summary>The part of the workers' time that they were busy: 0 to 1.</summary>
    public double Utilization { get; init; }

    /// <summary>Workers at the end.</summary>
    public int Workers { get; init; }

    /// <summary>Of these, the stuck ones; over ten seconds: the most.</summary>
    public int Stuck { get; init; }

    /// <summary>Items that wait, of high, normal and low priority, at the end; over ten seconds: the most.</summary>
    public int QueueHigh { get; init; }

    public int QueueNormal { get; init; }

    public int QueueLow { get; init; }

    /// <summary>For how long the oldest has waited; likewise.</summary>
    public double OldestAgeMs { get; init; }

    /// <summary>Items that await something and hold no worker; likewise.</summary>
    public int Suspended { get; init; }

    /// <summary>Bytes of the bodies of waiting requests; likewise.</summary>
    public long BodyBytes { get; init; }

    public long Accepted { get; init; }

    public FinishedCounts Finished { get; init; }

    /// <summary>By reason; only those that occurred.</summary>
    public IReadOnlyDictionary<string, long> Refused { get; init; } = EmptyCounts;

    /// <summary>By kind; only those of which something started or ended.</summary>
    public IReadOnlyList<KindSample> Kinds { get; init; } = [];

    /// <summary>Records that were overwritten before they were read: the percentiles are of the rest.</summary>
    public int Unread { get; init; }

    private static readonly Dictionary<string, long> EmptyCounts = [];
}

/// <summary>How items ended.</summary>
internal readonly record struct FinishedCounts(
    long Completed, long Failed, long Cancelled, long Expired, long ClientGone, long NotStarted, long Abandoned, long TimedOut)
{
    public long Total => Completed + Failed + Cancelled + Expired + ClientGone + NotStarted + Abandoned + TimedOut;

    public static FinishedCounts operator +(FinishedCounts a, FinishedCounts b) => new(
        a.Completed + b.Completed, a.Failed + b.Failed, a.Cancelled + b.Cancelled, a.Expired + b.Expired,
        a.ClientGone + b.ClientGone, a.NotStarted + b.NotStarted, a.Abandoned + b.Abandoned, a.TimedOut + b.TimedOut);

    public static FinishedCounts operator -(FinishedCounts a, FinishedCounts b) => new(
        a.Completed - b.Completed, a.Failed - b.Failed, a.Cancelled - b.Cancelled, a.Expired - b.Expired,
        a.ClientGone - b.ClientGone, a.NotStarted - b.NotStarted, a.Abandoned - b.Abandoned, a.TimedOut - b.TimedOut);
}

/// <summary>What items of one kind took, in milliseconds. Null: none.</summary>
internal sealed record KindSample(string Kind, Percentiles? Waiting, Percentiles? Running);

internal sealed record Percentiles(double P50, double P95, double P99)
{
    public static Percentiles? Of(Histogram times) =>
        times.Total == 0 ? null : new Percentiles(times.Percentile(50)!.Value, times.Percentile(95)!.Value, times.Percentile(99)!.Value);
}
