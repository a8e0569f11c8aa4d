namespace PoolApi.Jobs.Running;

/// <summary>
/// Cancellations that are told while claims are under way: each may be of a job that is just being claimed, and whose run nobody
/// can find yet. Thread-safe.
/// </summary>
/// <remarks>
/// That none gets lost: who tells of one tells it here first, and then looks at the runs; who begins a run shows it first, and then
/// looks here. One of the two sees the other. They are forgotten when no claim is under way; or when there are very many, since a
/// renewal of the lease tells of a cancellation as well.
/// </remarks>
internal sealed class PendingCancellations
{
    private const int Most = 10_000;

    private readonly Lock _lock = new();
    private readonly Dictionary<Guid, long> _told = [];
    private int _claims;

    /// <summary>A claim is under way from here on.</summary>
    public void ClaimBegins()
    {
        lock (_lock) _claims++;
    }

    /// <summary>It is not any more; its runs can be found.</summary>
    public void ClaimEnded()
    {
        lock (_lock)
        {
            if (--_claims == 0) _told.Clear();
        }
    }

    /// <summary>Somebody wants a job cancelled.</summary>
    public void Tell(Guid job, long version)
    {
        lock (_lock)
        {
            if (_claims == 0) return;
            if (_told.Count >= Most) _told.Clear();
            _told[job] = version;
        }
    }

    /// <summary>Whether that was told of a job, and in which of its versions.</summary>
    public bool TryGet(Guid job, out long version)
    {
        lock (_lock) return _told.TryGetValue(job, out version);
    }
}
