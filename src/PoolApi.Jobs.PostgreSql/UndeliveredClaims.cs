namespace PoolApi.Jobs.PostgreSql;

/// <summary>Tracks the claims that one accepting call makes, in one or more statements, until its callers have them. Otherwise they are lost claims.</summary>
/// <remarks>
/// <code>
///   statement ──its answer is read──► made ──Deliver──► the callers'
///       └──not known whether it was done──► lost ◄──GiveUp, or made after it──┘
/// </code>
/// A statement that its caller has given up may be carried out later, and read its answer then. Thread-safe.
/// </remarks>
/// <param name="lost">Where lost claims are looked for.</param>
/// <param name="found">Called when there are some, so that a claim takes them.</param>
internal sealed class UndeliveredClaims(LostClaims lost, Action found)
{
    private readonly Lock _lock = new();
    private readonly List<long> _made = [];
    private bool _isGivenUp;

    /// <summary>A statement has made claims under this number.</summary>
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
        found();
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
