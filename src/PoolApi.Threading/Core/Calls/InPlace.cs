namespace PoolApi.Threading.Core.Calls;

/// <summary>Runs a call's work in place, on the calling worker, as a part of the item that the worker already runs.</summary>
internal static class InPlace<TResult>
{
    /// <param name="work">The work.</param>
    /// <param name="caller">The caller's token, in addition to the item's.</param>
    public static TResult Invoke<TWork>(in TWork work, CancellationToken caller)
        where TWork : struct, IWork<TResult>
    {
        if (!TWork.TakesToken) return work.Invoke(default);
        // A worker has no item while it creates its state or notifies an observer.
        if (Worker.Current!.Ledger.Item is not { } item) return work.Invoke(new WorkToken(caller));
        if (!caller.CanBeCanceled) return work.Invoke(new WorkToken(item));
        using var either = CancellationTokenSource.CreateLinkedTokenSource(item.CancellationToken, caller);
        try
        {
            return work.Invoke(new WorkToken(either.Token));
        }
        catch (OperationCanceledException e) when (caller.IsCancellationRequested && e.CancellationToken != caller)
        {
            throw CallLabels.ForCaller(e, caller);
        }
    }
}
