namespace PoolApi.Jobs;

/// <summary>A committed change of a job.</summary>
/// <param name="Id">The job.</param>
/// <param name="Version">Its version after the change.</param>
/// <param name="IsCancelRequested">Whether the job runs and its cancellation was requested.</param>
internal readonly record struct JobChange(Guid Id, long Version, bool IsCancelRequested);

/// <summary>Receives the changes of a store. The store calls it on its own threads, so an implementation must return soon and must not throw.</summary>
internal interface IJobStoreListener
{
    /// <summary>A job has changed, by this or another instance. Versions may be skipped; the newest is always reported.</summary>
    void Changed(JobChange change);

    /// <summary>
    /// A job was queued, by this or another instance. It may be due, or become due before all others, so the listener should claim.
    /// </summary>
    void MayBeDue();

    /// <summary>The connection was lost and changes may have been missed. A listener that waits for a change should read the store.</summary>
    void MayHaveMissed();
}
