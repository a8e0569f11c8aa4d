namespace PoolApi.Jobs;

/// <summary>The rules of the store's maintenance.</summary>
/// <param name="Retention">How long a job keeps its payload and result after its end. After twice as long the job is deleted.</param>
/// <param name="MaxRedeliveries">The most deaths of its instance after which a job is run again. Only a death at which no
/// other job ran in the instance counts. After one more such death the job fails as poison.</param>
/// <param name="Limit">The most jobs that one transaction may change.</param>
internal sealed record MaintenanceRules(TimeSpan Retention, int MaxRedeliveries, int Limit = 200)
{
    /// <summary>
    /// The most bytes of payloads and results that one transaction may delete; at least one job's are deleted. So a transaction is short, however
    /// large the bodies are.
    /// </summary>
    public long SweepBytes { get; init; } = 4 * 1024 * 1024;

    /// <summary>Whether running jobs whose lease has run out may be redelivered in this round.</summary>
    public bool MayRedeliver { get; init; } = true;
}

/// <summary>The result of one round of maintenance.</summary>
/// <param name="Expired">The number of queued jobs whose deadline had passed.</param>
/// <param name="Redelivered">The number of jobs, by kind, that were queued again because their lease had run out.</param>
/// <param name="Poisoned">The number of jobs that failed because their instance had died too often.</param>
/// <param name="Swept">The number of finished jobs that lost payload and result or were deleted.</param>
/// <param name="MayBeMore">Whether a limit was reached, so that another round should follow at once.</param>
internal sealed record MaintenanceReport(int Expired, IReadOnlyDictionary<string, int> Redelivered, int Poisoned, int Swept, bool MayBeMore)
{
    /// <summary>
    /// Why finished jobs could not be swept; <see langword="null"/>: they could. The rest of the round was done, and is reported anyway.
    /// </summary>
    public Exception? SweepFault { get; init; }

    /// <summary>There was nothing to do.</summary>
    internal static MaintenanceReport Nothing { get; } = new(0, new Dictionary<string, int>(), 0, 0, MayBeMore: false);
}
