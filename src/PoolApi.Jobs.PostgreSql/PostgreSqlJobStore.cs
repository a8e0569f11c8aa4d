using Npgsql;
using NpgsqlTypes;

namespace PoolApi.Jobs.PostgreSql;

/// <summary>
/// Stores jobs in a PostgreSQL database, 15 or newer, for any number of instances. They share nothing but the database, which also provides the clock and
/// the notifications between them.
/// </summary>
/// <remarks>
/// <para>Thread-safe. Each operation is one short transaction. Accepting, finishing, handing back and reporting share a transaction with concurrent calls
/// (<see cref="Batcher{TItem, TResult}"/>).</para>
/// <para>If the database cannot be reached, each call fails within about five seconds.</para>
/// <para>It uses LISTEN and prepared statements, so a pooler must pool sessions. One that pools transactions is refused.</para>
/// </remarks>
internal sealed class PostgreSqlJobStore : IJobStore
{
    private readonly string _schema;
    private readonly string _name = Guid.NewGuid().ToString("N")[..12];
    private readonly Database _database;
    private readonly ChangeNotifier _changes;
    private readonly ChangeListener _listener;
    private readonly Accepting _accepting;
    private readonly Claiming _claiming;
    private readonly Finishing _finishing;
    private readonly Leases _leases;
    private readonly Transitions _transitions;
    private readonly BodyReader _bodies;
    private readonly Reading _reading;
    private readonly PostgreSqlMaintenance _maintenance;
    private readonly WriteCheck _check;
    private readonly Disposal _disposal;

    /// <summary>Creates a store. It does nothing until it is opened.</summary>
    /// <param name="connectionString">An Npgsql connection string. Its timeouts are ignored.</param>
    /// <param name="schema">The schema of the tables (<see cref="SchemaName"/>).</param>
    /// <exception cref="ArgumentException">It is no connection string, or no name for a schema.</exception>
    public PostgreSqlJobStore(string connectionString, string schema = SchemaName.Default)
        : this(connectionString, schema, DatabaseLimits.Default)
    {
    }

    /// <summary>For tests: a store with time limits of its own.</summary>
    internal PostgreSqlJobStore(string connectionString, string schema, DatabaseLimits limits)
    {
        if (!SchemaName.IsValid(schema)) throw new ArgumentException($"The name of the schema must be {SchemaName.Rule}.", nameof(schema));
        _schema = schema;
        string quoted = SchemaName.Quoted(schema);
        _database = new Database(connectionString, limits);
        _changes = new ChangeNotifier(_name, NotifyAsync);
        _listener = new ChangeListener(_database, Channel, Heard, MayHaveMissed);
        _database.Failed = _listener.Doubt;
        _database.ResponseLost = _changes.MayHaveMissed;
        var lost = new LostClaims(_database, quoted, _changes);
        var suspects = new PostgreSqlSuspects(_database, quoted);
        _accepting = new Accepting(_database, quoted, _changes, lost);
        _claiming = new Claiming(_database, quoted, _changes, lost, suspects);
        _finishing = new Finishing(_database, quoted, _changes, suspects);
        _leases = new Leases(_database, quoted, _changes, suspects);
        _transitions = new Transitions(_database, quoted, _changes);
        _bodies = new BodyReader(_database, quoted);
        _reading = new Reading(_database, quoted, _bodies);
        _maintenance = new PostgreSqlMaintenance(_database, quoted, _changes);
        _check = new WriteCheck(_database, quoted);
        _disposal = new Disposal(CloseAsync);
    }

    /// <inheritdoc/>
    public string Location => _database.Location;

    /// <inheritdoc/>
    public IJobStoreListener? Listener
    {
        get => _changes.Listener;
        set => _changes.Listener = value;
    }

    /// <inheritdoc/>
    public bool IsShared => true;

    private string Channel => $"{_schema}_jobs";

    /// <inheritdoc/>
    public async Task OpenAsync(CancellationToken cancellation)
    {
        try
        {
            await using (NpgsqlConnection connection = await _database.OpenSingleAsync(cancellation))
            {
                await _database.RequireSessionsAsync(connection, cancellation);
                await Schema.MigrateAsync(connection, _schema, cancellation);
            }
            await _listener.StartAsync(cancellation);
        }
        catch (Exception e) when (e is NpgsqlException or TimeoutException or IOException or System.Net.Sockets.SocketException)
        {
            throw _database.CannotOpen(e);
        }
    }

    /// <inheritdoc/>
    public ValueTask<JobAcceptance> AcceptAsync(NewJob job, CancellationToken cancellation)
    {
        ThrowIfClosed();
        ArgumentNullException.ThrowIfNull(job);
        return _accepting.AcceptAsync(job, cancellation);
    }

    /// <inheritdoc/>
    public ValueTask<JobAcceptance> AcceptAndClaimAsync(NewJob job, string owner, TimeSpan lease, CancellationToken cancellation)
    {
        ThrowIfClosed();
        ArgumentNullException.ThrowIfNull(job);
        ArgumentException.ThrowIfNullOrEmpty(owner);
        return _accepting.AcceptAndClaimAsync(job, owner, lease, cancellation);
    }

    /// <inheritdoc/>
    public ValueTask<JobClaims> ClaimAsync(string owner, int max, long maxBytes, TimeSpan lease, KindFilter kinds, CancellationToken cancellation)
    {
        ThrowIfClosed();
        ArgumentException.ThrowIfNullOrEmpty(owner);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(max);
        ArgumentOutOfRangeException.ThrowIfNegative(maxBytes);
        return _claiming.ClaimAsync(owner, max, maxBytes, lease, kinds, cancellation);
    }

    /// <inheritdoc/>
    public async ValueTask<ReadOnlyMemory<byte>?> ReadBodyAsync(JobClaim claim, CancellationToken cancellation)
    {
        ThrowIfClosed();
        ArgumentNullException.ThrowIfNull(claim);
        return await _bodies.PayloadAsync(claim.Job.Id, claim.UnreadBytes, cancellation) is { } body ? new ReadOnlyMemory<byte>(body) : (ReadOnlyMemory<byte>?)null;
    }

    /// <inheritdoc/>
    public ValueTask<bool> FinishAsync(JobClaim claim, JobEnd ending, CancellationToken cancellation)
    {
        ThrowIfClosed();
        ArgumentNullException.ThrowIfNull(claim);
        ArgumentNullException.ThrowIfNull(ending);
        return _finishing.FinishAsync(claim, ending, cancellation);
    }

    /// <inheritdoc/>
    public ValueTask HandBackAsync(IReadOnlyList<JobClaim> claims, CancellationToken cancellation)
    {
        ThrowIfClosed();
        ArgumentNullException.ThrowIfNull(claims);
        return _leases.HandBackAsync(claims, cancellation);
    }

    /// <inheritdoc/>
    public ValueTask<IReadOnlyList<LeaseState>> RenewAsync(IReadOnlyList<JobClaim> claims, TimeSpan lease, CancellationToken cancellation)
    {
        ThrowIfClosed();
        ArgumentNullException.ThrowIfNull(claims);
        return _leases.RenewAsync(claims, lease, cancellation);
    }

    /// <inheritdoc/>
    public ValueTask ReportProgressAsync(JobClaim claim, double progress, CancellationToken cancellation)
    {
        ThrowIfClosed();
        ArgumentNullException.ThrowIfNull(claim);
        return _leases.ReportProgressAsync(claim, progress, cancellation);
    }

    /// <inheritdoc/>
    public ValueTask<Job?> GetAsync(Guid id, CancellationToken cancellation)
    {
        ThrowIfClosed();
        return _reading.GetAsync(id, cancellation);
    }

    /// <inheritdoc/>
    public ValueTask<JobWithResult?> GetResultAsync(Guid id, long maxBytes, CancellationToken cancellation)
    {
        ThrowIfClosed();
        return _reading.GetResultAsync(id, maxBytes, cancellation);
    }

    /// <inheritdoc/>
    public ValueTask<StoredPayload?> GetPayloadAsync(Guid id, long maxBytes, CancellationToken cancellation)
    {
        ThrowIfClosed();
        return _reading.GetPayloadAsync(id, maxBytes, cancellation);
    }

    /// <inheritdoc/>
    public ValueTask<IReadOnlyList<Job>> FindByKeyAsync(string key, CancellationToken cancellation)
    {
        ThrowIfClosed();
        ArgumentNullException.ThrowIfNull(key);
        return _reading.FindByKeyAsync(client => Accepting.KeyOf(client, key), cancellation);
    }

    /// <inheritdoc/>
    public ValueTask<JobPage> ListAsync(JobQuery query, CancellationToken cancellation)
    {
        ThrowIfClosed();
        ArgumentNullException.ThrowIfNull(query);
        return _reading.ListAsync(query, cancellation);
    }

    /// <inheritdoc/>
    public ValueTask<JobTransition?> CancelAsync(Guid id, CancellationToken cancellation)
    {
        ThrowIfClosed();
        return _transitions.CancelAsync(id, cancellation);
    }

    /// <inheritdoc/>
    public ValueTask<JobTransition?> RetryAsync(Guid id, CancellationToken cancellation)
    {
        ThrowIfClosed();
        return _transitions.RetryAsync(id, cancellation);
    }

    /// <inheritdoc/>
    public ValueTask<MaintenanceReport> MaintainAsync(MaintenanceRules rules, CancellationToken cancellation)
    {
        ThrowIfClosed();
        ArgumentNullException.ThrowIfNull(rules);
        return _maintenance.MaintainAsync(rules, cancellation);
    }

    /// <inheritdoc/>
    public ValueTask<IReadOnlyDictionary<JobState, long>> CountAsync(CancellationToken cancellation)
    {
        ThrowIfClosed();
        return _reading.CountAsync(cancellation);
    }

    /// <inheritdoc/>
    public async ValueTask CheckAsync(CancellationToken cancellation)
    {
        await GetAsync(Guid.Empty, cancellation);
        await _check.RunAsync(cancellation);
    }

    /// <summary>Completes the operations under way, notifies the other instances, and closes the connections.</summary>
    public ValueTask DisposeAsync() => _disposal.RunAsync();

    private async Task CloseAsync()
    {
        await _accepting.DisposeAsync();
        await _finishing.DisposeAsync();
        await _leases.DisposeAsync();
        await _changes.DisposeAsync();
        await _listener.DisposeAsync();
        _reading.Dispose();
        _bodies.Dispose();
        await _database.DisposeAsync();
    }

    /// <summary>For tests: its sessions.</summary>
    internal Database Database => _database;

    private void ThrowIfClosed()
    {
        if (_disposal.HasBegun) throw _database.Closed();
    }

    private async Task NotifyAsync(string[] messages) => await _database.RunAsync(
        async connection =>
        {
            // The commit need not wait for the disk: a crash also ends the connections of all listeners.
            await using var command = new NpgsqlCommand($"select pg_notify($1, m) from unnest($2) as m cross join {AsynchronousCommit.Row}", connection);
            command.Parameters.With(NpgsqlDbType.Text, Channel).With(NpgsqlDbType.Array | NpgsqlDbType.Text, messages);
            await command.PrepareAsync();
            await command.ExecuteNonQueryAsync();
            return true;
        },
        mayRepeat: true, CancellationToken.None);

    private void Heard(string message)
    {
        if (Listener is { } listener) ChangeMessage.Read(message, _name, listener);
    }

    private void MayHaveMissed()
    {
        Listener?.MayHaveMissed();
        Listener?.MayBeDue();
    }
}
