using Npgsql;

namespace PoolApi.Jobs.PostgreSql;

/// <summary>Opens connections to a server of one host or more, each of which gets its own time.</summary>
/// <remarks>
/// Npgsql tries the hosts of a connection string in order. It continues with the next one when a host refuses, is not the wanted one, or
/// exceeds Npgsql's own timeout. That timeout does not cover the TLS handshake: a host that stops responding there would block the opening.
/// So this class limits and cancels each opening, which frees its slot in the connection pool. The next try begins with the next host: for
/// each host there is a data source that begins with it. Npgsql answers the cancellation with an <see cref="OperationCanceledException"/> or, for
/// a connection without a pool, with an <see cref="NpgsqlException"/> that has the failure of each host.
/// </remarks>
internal sealed class HostSources : IAsyncDisposable
{
    private readonly NpgsqlDataSource[] _sources;
    private readonly HostOrder _order;
    private readonly TimeSpan _limit;
    private readonly TimeProvider _time;

    /// <param name="settings">The connection string. The constructor changes its host, and restores it at the end.</param>
    /// <param name="order">Decides which host is tried first. Several objects may share it.</param>
    /// <param name="limit">The limit of an opening by way of one host.</param>
    /// <param name="time">Measures the limit.</param>
    /// <param name="name">The first data source's name in the metrics. Each further data source appends its number.</param>
    /// <param name="build">Creates a data source with the given settings and name.</param>
    public HostSources(
        NpgsqlConnectionStringBuilder settings,
        HostOrder order,
        TimeSpan limit,
        TimeProvider time,
        string name,
        Func<NpgsqlConnectionStringBuilder, string, NpgsqlDataSource> build)
    {
        (_order, _limit, _time) = (order, limit, time);
        string? given = settings.Host;
        string[] hosts = (given ?? "").Split(',');
        _sources = new NpgsqlDataSource[hosts.Length];
        for (int i = 0; i < hosts.Length; i++)
        {
            if (i > 0) settings.Host = string.Join(',', [.. hosts[i..], .. hosts[..i]]);
            // With load balancing, Npgsql would begin with any host.
            var of = i == 0 ? settings : new NpgsqlConnectionStringBuilder(settings.ConnectionString) { LoadBalanceHosts = false };
            _sources[i] = build(of, i == 0 ? name : $"{name}-{i + 1}");
        }
        settings.Host = given;
    }

    /// <summary>Opens a connection.</summary>
    /// <exception cref="TimeoutException">No host has opened one in its time.</exception>
    /// <exception cref="NpgsqlException">No host has opened one, and Npgsql gives the failure of each.</exception>
    /// <exception cref="OperationCanceledException">The caller has cancelled the opening.</exception>
    public async ValueTask<NpgsqlConnection> OpenAsync(CancellationToken cancellation)
    {
        int first = _order.First();
        for (int tried = 1; ; tried++)
        {
            int host = (first + tried - 1) % _sources.Length;
            // This runs for every operation of the store, so a single source serves both the limit and the caller's token.
            using var cancelled = new CancellationTokenSource(_limit, _time);
            using CancellationTokenRegistration caller = cancellation.UnsafeRegister(static source => ((CancellationTokenSource)source!).Cancel(), cancelled);
            try
            {
                NpgsqlConnection connection = await _sources[host].OpenConnectionAsync(cancelled.Token);
                _order.Opened(host);
                return connection;
            }
            catch (Exception e) when (
                e is OperationCanceledException || (cancelled.IsCancellationRequested && e is NpgsqlException { InnerException: AggregateException }))
            {
                cancellation.ThrowIfCancellationRequested();
                if (tried < _sources.Length) continue;
                if (e is NpgsqlException) throw; // it has the failure of each host
#pragma warning disable MA0054 // the fault names the inmost exception; the cancellation of the wait adds nothing
                throw new TimeoutException(
                    $"The server accepts the connection, and has opened no session after {_limit.TotalSeconds * _sources.Length} seconds");
#pragma warning restore MA0054
            }
        }
    }

    /// <summary>Closes the connections that are not in use, and the others when they are given back.</summary>
    public void Clear()
    {
        _order.Reset();
        foreach (NpgsqlDataSource source in _sources) source.Clear();
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        foreach (NpgsqlDataSource source in _sources) await source.DisposeAsync();
    }
}
