namespace PoolApi.AspNetCore.Endpoints;

/// <summary>
/// The share of one request's body in the budget, from before it is read until a worker starts the request or the request ends,
/// whichever comes first.
/// </summary>
internal sealed class BodyReservation(ByteBudget budget)
{
    private long _bytes;

    /// <summary>Takes more bytes, unless the budget is used up. Called by the request's own flow only.</summary>
    public bool TryGrow(long bytes)
    {
        if (!budget.TryTake(bytes)) return false;
        Interlocked.Add(ref _bytes, bytes);
        return true;
    }

    /// <summary>Gives all bytes back. A second call does nothing.</summary>
    public void Release()
    {
        long bytes = Interlocked.Exchange(ref _bytes, 0);
        if (bytes != 0) budget.Return(bytes);
    }
}
