namespace PoolApi.Jobs.Running;

/// <summary>How jobs are run.</summary>
internal sealed record JobOptions
{
    /// <summary>The default of <see cref="MemoryBytes"/> in words.</summary>
    public static string DefaultMemoryBytes => MemoryLimit.Words(JobRanges.MaxDefaultMemoryBytes);

    /// <summary>
    /// How long after an instance has died its jobs are taken on by others, 3 s to 1 h. A live instance renews its lease six
    /// times in that time.
    /// </summary>
    public TimeSpan Lease { get; init; } = JobRanges.Lease.Default;

    /// <summary>The share of the workers' time that jobs can count on while requests keep all workers busy, 0 to 1.</summary>
    public double Share { get; init; } = JobRanges.Share.Default;

    /// <summary>How long a finished job keeps payload and result; it is gone altogether after twice as long. 1 s or more.</summary>
    public TimeSpan Retention { get; init; } = JobRanges.Retention.Default;

    /// <summary>How often a job is begun again because the instance that had it died, 0 or more; then it is failed, as poison.</summary>
    public int MaxRedeliveries { get; init; } = JobRanges.MaxRedeliveries.Default;

    /// <summary>
    /// How many bytes the bodies of the jobs that this instance has claimed may have together, 1 or more. Their results count too, until
    /// they are written. A job whose body alone is larger runs when no other does. Default: a quarter of the memory that the runtime may use,
    /// at most 256 MiB.
    /// </summary>
    public long MemoryBytes { get; init; } = MemoryLimit.Share(JobRanges.MaxDefaultMemoryBytes);

    /// <summary>The pause before the second attempt; each further one is twice as long, up to five minutes. More than 0.</summary>
    public TimeSpan RetryDelay { get; init; } = JobRanges.RetryDelay.Default;
}
