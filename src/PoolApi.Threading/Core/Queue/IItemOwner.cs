namespace PoolApi.Threading.Core.Queue;

/// <summary>The pool that an item was submitted to, as the callback of the submitter's token sees it.</summary>
internal interface IItemOwner
{
    /// <summary>Ends the item if it is queued here. Whatever that decides is carried out by the caller, later.</summary>
    bool TryEndWaiting(PoolWorkItem item, WorkOutcome outcome, ref DeferredActions after);

    /// <summary>Carries out what was decided under the queue's gate.</summary>
    void CarryOut(ref DeferredActions after);

    /// <summary>Code of a caller threw, and nobody waits for it.</summary>
    void Unhandled(PoolWorkItem item, Exception error);
}
