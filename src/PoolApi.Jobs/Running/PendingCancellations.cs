namespace PoolApi.Jobs.Running;

/// <summary>
/// Remembers the cancellations that are reported while claims are under way. Such a job may just be claimed, and its attempt is not registered
/// yet. Thread-safe.
/// </summary>
/// <remarks>
/// No cancellation is lost: the reporting thread records it here and then looks for the attempt; the claiming flow registers the attempt and then
/// looks here. So at least one of the two sees the other. The cancellations are discarded when no claim is under way. They are also discarded when
/// there are very many, because a renewal of the lease reports a cancellation too.
/// </remarks>
internal sealed class PendingCancellations
{
    private const int Most = 10_000;

    private readonly Lock _lock = new();
    private readonly Dictionary<Guid, long> _cancelled = [];
    private int _claims;

    /// <summary>A claim begins.</summary>
    public void ClaimBegins()
    {
        lock (_lock) _claims++;
    }

    /// <summary>A claim has ended, and its attempts are registered.</summary>
    public void ClaimEnded()
    {
        lock (_lock)
        {
            if (--_claims == 0) _cancelled.Clear();
        }
    }

    /// <summary>Records the cancellation of a job if a claim is under way.</summary>
    public void Add(Guid job, long version)
    {
        lock (_lock)
        {
            if (_claims == 0) return;
            if (_cancelled.Count >= Most) _cancelled.Clear();
            _cancelled[job] = version;
        }
    }

    /// <summary>Finds the recorded cancellation of a job and the version in which it was requested.</summary>
    public bool TryGet(Guid job, out long version)
    {
        lock (_lock) return _cancelled.TryGetValue(job, out version);
    }
}
