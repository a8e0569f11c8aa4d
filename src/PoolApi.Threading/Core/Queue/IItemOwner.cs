namespace PoolApi.Threading.Core.Queue;

/// <summary>The interface of an item's pool for the callback of the submitter's token.</summary>
internal interface IItemOwner
{
    /// <summary>Ends the item if it is queued here. The caller carries out the side effects later.</summary>
    bool TryEndQueued(PoolWorkItem item, WorkOutcome outcome, ref DeferredActions after);

    /// <summary>Carries out the side effects that were decided under the queue's gate.</summary>
    void CarryOut(ref DeferredActions after);

    /// <summary>Reports an exception of a caller's code that no caller waits for.</summary>
    void Unhandled(PoolWorkItem item, Exception error);
}
