namespace PoolApi.HttpBenchmarks.Load;

/// <summary>What became of one planned request.</summary>
/// <param name="Planned">When it was to start, since the first was.</param>
/// <param name="Ended">When its answer was complete, or its client gave up.</param>
/// <param name="Status">The answer's, or one of those below.</param>
internal readonly record struct Answer(TimeSpan Planned, TimeSpan Ended, int Status)
{
    public const int GaveUp = -1, Broken = -2;

    /// <summary>From the planned start, whenever the request really went out.</summary>
    public TimeSpan Latency => Ended - Planned;

    public bool IsServed => Status == 200;

    public bool IsRejected => Status is 429 or 503;
}
