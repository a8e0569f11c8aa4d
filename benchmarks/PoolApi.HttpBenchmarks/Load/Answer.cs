namespace PoolApi.HttpBenchmarks.Load;

/// <summary>The result of one planned request.</summary>
/// <param name="Planned">Its planned start, from the start of the first request.</param>
/// <param name="Ended">When its answer was complete, or its client gave up.</param>
/// <param name="Status">The status of the response, or one of the constants below.</param>
internal readonly record struct Answer(TimeSpan Planned, TimeSpan Ended, int Status)
{
    public const int GaveUp = -1, Broken = -2;

    /// <summary>The time from the planned start, even if the request was sent later.</summary>
    public TimeSpan Latency => Ended - Planned;

    public bool IsServed => Status == 200;

    public bool IsRejected => Status is 429 or 503;
}
