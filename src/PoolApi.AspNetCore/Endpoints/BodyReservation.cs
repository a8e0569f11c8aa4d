namespace PoolApi.AspNetCore.Endpoints;

/// <summary>
/// What one request's body takes of the budget, from before it is read until a worker starts on it or the request is over,
/// whichever comes first.
/// </summary>
internal sealed class BodyReservation(ByteBudget budget)
{
    private long _bytes;

    /// <summary>Takes more, unless the budget is spent. Called by the request's own thread of control only.</summary>
    public bool TryGrow(long bytes)
    {
        if (!budget.TryTake(bytes)) return false;
        Interlocked.Add(ref _bytes, bytes);
        return true;
    }

    /// <summary>Gives everything back; the second time there is nothing left to give.</summary>
    public void Release()
    {
        long bytes = Interlocked.Exchange(ref _bytes, 0);
        if (bytes != 0) budget.Return(bytes);
    }
}
