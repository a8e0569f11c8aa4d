namespace PoolApi.Jobs;

/// <summary>A committed change of a job.</summary>
/// <param name="Id">The job.</param>
/// <param name="Version">Its version after the change.</param>
/// <param name="IsCancelRequested">It runs, and somebody wants it cancelled.</param>
internal readonly record struct JobChange(Guid Id, long Version, bool IsCancelRequested);

/// <summary>Is told by a store what changes in it. Called on the store's own threads: must be quick, and must not throw.</summary>
internal interface IJobStoreListener
{
    /// <summary>A job has changed, here or on another instance. Not every version is told: only that there is a newer one.</summary>
    void Changed(JobChange change);

    /// <summary>
    /// A job has come to be queued, here or on another instance: it may be due, or be due sooner than any other, and it is worth
    /// asking for claims.
    /// </summary>
    void MayBeDue();

    /// <summary>Changes may have been missed, since the connection was lost: whoever waits for one should look.</summary>
    void MayHaveMissed();
}
