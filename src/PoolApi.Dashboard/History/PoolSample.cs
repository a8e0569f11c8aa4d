namespace PoolApi.Dashboard.History;

/// <summary>A sample of a pool over one second or ten. Counts are of this period alone.</summary>
internal sealed record PoolSample
{
    /// <summary>The end of the period, in milliseconds since 1970.</summary>
    public required long At { get; init; }

    /// <summary>The length of the period.</summary>
    public required double Seconds { get; init; }

    /// <summary>The utilization: the busy part of the workers' time, 0 to 1.</summary>
    public double Utilization { get; init; }

    /// <summary>The number of workers at the end.</summary>
    public int Workers { get; init; }

    /// <summary>The number of stuck workers at the end; over ten seconds the maximum.</summary>
    public int Stuck { get; init; }

    /// <summary>The number of queued items of high, normal and low priority at the end; over ten seconds the maximum.</summary>
    public int QueueHigh { get; init; }

    public int QueueNormal { get; init; }

    public int QueueLow { get; init; }

    /// <summary>The age of the oldest queued item; likewise.</summary>
    public double OldestAgeMs { get; init; }

    /// <summary>The number of suspended items, which await and hold no worker; likewise.</summary>
    public int Suspended { get; init; }

    /// <summary>The bytes of the bodies of queued requests; likewise.</summary>
    public long BodyBytes { get; init; }

    public long Accepted { get; init; }

    public FinishedCounts Finished { get; init; }

    /// <summary>Rejections by reason. Reasons that did not occur are left out.</summary>
    public IReadOnlyDictionary<string, long> Refused { get; init; } = EmptyCounts;

    /// <summary>Times by kind. Kinds of which no item started or ended are left out.</summary>
    public IReadOnlyList<KindSample> Kinds { get; init; } = [];

    /// <summary>The number of records that were overwritten before they were read. The percentiles do not include them.</summary>
    public int Unread { get; init; }

    private static readonly Dictionary<string, long> EmptyCounts = [];
}

/// <summary>The numbers of items by outcome.</summary>
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

/// <summary>Percentiles of the times of one kind in milliseconds; null if no item had that time.</summary>
internal sealed record KindSample(string Kind, Percentiles? Waiting, Percentiles? Running);

internal sealed record Percentiles(double P50, double P95, double P99)
{
    public static Percentiles? Of(Histogram times) =>
        times.Total == 0 ? null : new Percentiles(times.Percentile(50)!.Value, times.Percentile(95)!.Value, times.Percentile(99)!.Value);
}
