namespace PoolApi.Jobs.PostgreSql;

/// <summary>Tracks the claims that one call makes, in one or more statements. If the call fails, they become lost claims.</summary>
/// <remarks>
/// <code>
///   statement ──its response is read──► made ──the call succeeds──► the callers have the claims
///       │                                └──GiveUp, before or after it──┐
///       └──its outcome is unknown─────────────────────────────────────► lost
/// </code>
/// The database may execute a statement after the call has failed. The claims of such a statement are lost too. Thread-safe.
/// </remarks>
/// <param name="lost">Undoes lost claims.</param>
/// <param name="onLost">Called when claims are lost, so that the dispatcher claims soon. Its next claim undoes them.</param>
internal sealed class UndeliveredClaims(LostClaims lost, Action onLost)
{
    private readonly Lock _lock = new();
    private readonly List<long> _made = [];
    private bool _isGivenUp;

    /// <summary>A statement has made claims under this number, or may make them.</summary>
    public void Made(long call)
    {
        lock (_lock)
        {
            if (!_isGivenUp)
            {
                _made.Add(call);
                return;
            }
        }
        Lost(call);
    }

    /// <summary>It is not known whether a statement was carried out.</summary>
    public void Lost(long call)
    {
        lost.Add(call);
        onLost();
    }

    /// <summary>The callers get an exception, so no instance runs the claims that the statement made or will make.</summary>
    public void GiveUp()
    {
        long[] made;
        lock (_lock)
        {
            _isGivenUp = true;
            made = [.. _made];
            _made.Clear();
        }
        foreach (long call in made) Lost(call);
    }
}
