namespace PoolApi.Jobs.Running;

/// <summary>Options of the dispatchers.</summary>
internal sealed record JobOptions
{
    /// <summary>The default of <see cref="MemoryBytes"/> in words, for the documentation.</summary>
    public static string DefaultMemoryBytes => MemoryLimit.Words(JobRanges.MaxDefaultMemoryBytes);

    /// <summary>
    /// How long after the death of an instance other instances run its jobs, 3 s to 1 h. A live instance renews its lease six times in that time.
    /// </summary>
    public TimeSpan Lease { get; init; } = JobRanges.Lease.Default;

    /// <summary>The share of the workers' time that is reserved for jobs while requests keep all workers busy, 0 to 1.</summary>
    public double Share { get; init; } = JobRanges.Share.Default;

    /// <summary>How long a finished job keeps its payload and result, 1 s or more. After twice as long the job is deleted.</summary>
    public TimeSpan Retention { get; init; } = JobRanges.Retention.Default;

    /// <summary>
    /// The most deaths of its instance after which a job is run again, 0 or more. Only a death at which no other job ran in the instance counts.
    /// After one more such death the job fails as poison.
    /// </summary>
    public int MaxRedeliveries { get; init; } = JobRanges.MaxRedeliveries.Default;

    /// <summary>
    /// The most bytes that the bodies of this instance's claimed jobs may have together, 1 or more. Results count too until they are written. With several
    /// pools each has an equal part. A job whose body is larger than that part runs when no other job of its pool does. Default: a quarter of the memory that the runtime may use, at most 256 MiB.
    /// </summary>
    public long MemoryBytes { get; init; } = MemoryLimit.Share(JobRanges.MaxDefaultMemoryBytes);

    /// <summary>The pause before the second attempt, more than 0. Each further pause is twice as long, up to five minutes.</summary>
    public TimeSpan RetryDelay { get; init; } = JobRanges.RetryDelay.Default;
}
