namespace PoolApi.Jobs.PostgreSql;

/// <summary>Decides which host of the connection string is tried first. Thread-safe.</summary>
/// <remarks>
/// <code>
///   the first host ──Opened at another──► that host, for a minute ──First──► one opening tries the first host, the others continue there
///        ▲                                                                       │ it opens
///        └───────────────────────────Opened(0), Reset────────────────────────────┘
/// </code>
/// So a host that does not answer costs its timeout once a minute and not at each opening, and the configured order is restored when it answers again.
/// </remarks>
internal sealed class HostOrder(TimeProvider time)
{
    /// <summary>How long another host than the first is tried first.</summary>
    public static readonly TimeSpan Detour = TimeSpan.FromMinutes(1);

    private readonly Lock _lock = new();
    private int _first;
    private long _since; // a timestamp

    /// <summary>The number of the host that an opening tries first.</summary>
    public int First()
    {
        lock (_lock)
        {
            if (_first == 0 || time.GetElapsedTime(_since) < Detour) return _first;
            _since = time.GetTimestamp();
            return 0;
        }
    }

    /// <summary>A connection was opened by way of this host.</summary>
    public void Opened(int host)
    {
        if (host == _first) return;
        lock (_lock) (_first, _since) = (host, time.GetTimestamp());
    }

    /// <summary>Ends the detour: the next opening tries the first host again.</summary>
    public void Reset()
    {
        lock (_lock) _first = 0;
    }
}
