namespace PoolApi.Jobs;

/// <summary>By which rules a store is tended.</summary>
/// <param name="Retention">How long after its end a job keeps payload and result; after twice as long it is gone altogether.</param>
/// <param name="MaxRedeliveries">How often a job may be begun again because its instance died; beyond that it is failed, as poison.</param>
/// <param name="Limit">How many jobs one transaction may touch.</param>
internal sealed record MaintenanceRules(TimeSpan Retention, int MaxRedeliveries, int Limit = 200);

/// <summary>What one round of maintenance did.</summary>
/// <param name="Expired">Queued jobs whose deadline had passed.</param>
/// <param name="Redelivered">Jobs whose lease had run out and that are queued again, by kind.</param>
/// <param name="Poisoned">Jobs that were failed because their instance had died too often.</param>
/// <param name="Swept">Finished jobs that lost payload and result, or that are gone.</param>
/// <param name="MayBeMore">A limit was reached: it is worth going on at once.</param>
internal sealed record MaintenanceReport(int Expired, IReadOnlyDictionary<string, int> Redelivered, int Poisoned, int Swept, bool MayBeMore)
{
    /// <summary>There was nothing to do.</summary>
    internal static MaintenanceReport Nothing { get; } = new(0, new Dictionary<string, int>(), 0, 0, MayBeMore: false);
}
