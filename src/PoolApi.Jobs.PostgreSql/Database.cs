using System.Data;
using System.Diagnostics;
using System.Runtime.ExceptionServices;
using Npgsql;

namespace PoolApi.Jobs.PostgreSql;

/// <summary>Opens connections to the database, runs operations on them, and handles their failures.</summary>
/// <remarks>
/// <para>Every wait has a limit: <see cref="DatabaseLimits.ConnectSeconds"/> for connecting, and <see cref="DatabaseLimits.CommandSeconds"/> for a
/// response. Npgsql's own timeout does not cover the TLS handshake, so <see cref="HostSources"/> limits each opening. A command that times out costs
/// its connection. Npgsql first asks the server, on one more connection, to cancel the command. That may take another
/// <see cref="DatabaseLimits.ConnectSeconds"/>, so the caller stops waiting after <see cref="DatabaseLimits.Patience"/>.</para>
/// <para>An operation whose connection failed is tried once more, if that is safe and there is time. After a restart of the server, the
/// connections in the pool are dead, and only their use shows it.</para>
/// <para><see cref="ServerErrors"/> classifies the errors of the server.</para>
/// </remarks>
internal sealed class Database : IAsyncDisposable
{
    private const string PoolName = "jobs";
    private const string ListenerName = "jobs-listener";

    /// <summary>The shortest time between two replacements of read-only sessions, so that a read-only database is not flooded with connections.</summary>
    private static readonly TimeSpan ReadOnlyPause = TimeSpan.FromSeconds(1);

    private readonly HostSources _pool;
    private readonly HostSources _single;
    private readonly string _closed;
    private long _interruptions;
    private long _renewedAt; // a timestamp

    /// <param name="connectionString">As Npgsql has it.</param>
    /// <param name="limits">The time limits.</param>
    /// <exception cref="ArgumentException">It is no connection string.</exception>
    public Database(string connectionString, DatabaseLimits limits)
    {
        Limits = limits;
        var given = new NpgsqlConnectionStringBuilder(connectionString);
        Location = LocationOf(given);
        _closed = $"The job store in {Location} is closed.";
        // One more second, for the pool and the handshake.
        TimeSpan limit = TimeSpan.FromSeconds(limits.ConnectSeconds + 1);
        var order = new HostOrder(TimeProvider.System);
        given.Timeout = limits.ConnectSeconds;
        given.CommandTimeout = limits.CommandSeconds;
        given.CancellationTimeout = -1; // after a timeout Npgsql does not wait for the cancelled command
        given.NoResetOnClose = true; // no session state is left behind
        given.Enlist = false;
        // With Prefer, the default, Npgsql tries an unreachable host twice: with GSS encryption and without.
        if (given.GssEncryptionMode == GssEncryptionMode.Prefer) given.GssEncryptionMode = GssEncryptionMode.Disable;
        given.MaxAutoPrepare = 0; // the store itself prepares the statements that are worth it
        given.ApplicationName ??= "poolapi";
        // Many instances share one server. Npgsql's default of 100 connections for each instance is the server's default for all.
        if (!given.ShouldSerialize("Maximum Pool Size")) given.MaxPoolSize = 16; // not set
        MaxPoolSize = given.MaxPoolSize;
        _pool = new HostSources(given, order, limit, TimeProvider.System, PoolName, Build);
        // The listener's connection sends nothing, so only TCP keep-alives detect that the server is gone.
        given.Pooling = false;
        given.TcpKeepAliveTime = 3;
        given.TcpKeepAliveInterval = 1;
        _single = new HostSources(given, order, limit, TimeProvider.System, ListenerName, Build);
    }

    /// <summary>Where the connection string leads, in words for the operator. Without secrets.</summary>
    public string Location { get; }

    /// <summary>The most connections of the pool.</summary>
    public int MaxPoolSize { get; }

    /// <summary>How often a connection broke or led to a read-only server. A late response does not count: the server may only be busy.</summary>
    public long Interruptions => Volatile.Read(ref _interruptions);

    /// <summary>Called when a connection has failed or is read-only. The other connections may have the same fault.</summary>
    public Action? Failed { get; set; }

    /// <summary>Called when the response to a statement is lost. The server may have executed the statement, or may execute it later.</summary>
    public Action? ResponseLost { get; set; }

    /// <summary>The time limits.</summary>
    public DatabaseLimits Limits { get; }

    /// <summary>Runs an operation on a connection of the pool.</summary>
    /// <remarks>
    /// A caller may give up before the operation ends. So the operation itself reports its changes. It does so after the commit, when its reader is
    /// closed. The last row alone does not prove a commit.
    /// </remarks>
    /// <param name="work">The operation.</param>
    /// <param name="mayRepeat">Whether the operation may run twice without harm.</param>
    /// <param name="cancellation">
    /// Cancels the opening of a connection. Ends the wait for the operation only if it may run twice; otherwise the caller needs the outcome.
    /// </param>
    /// <param name="patience">The longest wait; default: <see cref="DatabaseLimits.Patience"/>. After it the outcome is unknown.</param>
    /// <exception cref="JobStoreUnavailableException">The database cannot be used.</exception>
    /// <exception cref="JobStoreRefusedException">The database does not store a value.</exception>
    public async Task<T> RunAsync<T>(
        Func<NpgsqlConnection, Task<T>> work, bool mayRepeat, CancellationToken cancellation, TimeSpan? patience = null)
    {
        cancellation.ThrowIfCancellationRequested();
        Task<T> running = TryAsync(work, mayRepeat, cancellation);
        if (running.IsCompleted) return await running;
        try
        {
            // A running command is not cancelled, because that would cost its connection. It ends soon, by its own timeout.
            return await running.WaitAsync(patience ?? Limits.Patience, mayRepeat ? cancellation : CancellationToken.None);
        }
        catch (TimeoutException e)
        {
            if (running.IsCompleted) return await running; // just in time
            Observe(running);
            throw Unavailable("it does not answer", e);
        }
        catch (OperationCanceledException) when (!running.IsCompleted)
        {
            Observe(running);
            throw;
        }
    }

    /// <summary>Where a connection string leads, in words for the operator. Without secrets.</summary>
    private static string LocationOf(NpgsqlConnectionStringBuilder settings) =>
        $"the PostgreSQL database {settings.Database ?? settings.Username} on {settings.Host}:{settings.Port}";

    /// <summary>The patience for an operation that transfers bodies: <see cref="DatabaseLimits.Patience"/> and one second for each MiB.</summary>
    public TimeSpan PatienceFor(long bytes) => Limits.Patience + Extra(bytes);

    /// <summary>
    /// Executes a command that takes bodies along, with more time for it: here and at the server, whose timeout belongs to the session. The session gets
    /// its usual timeout back, also if the command fails.
    /// </summary>
    /// <param name="command">The command.</param>
    /// <param name="bytes">The bytes of the bodies.</param>
    /// <param name="execute">Executes it.</param>
    public async Task<T> ExtendedAsync<T>(NpgsqlCommand command, long bytes, Func<NpgsqlCommand, Task<T>> execute)
    {
        int seconds = (int)Extra(bytes).TotalSeconds;
        if (seconds == 0) return await execute(command);
        NpgsqlConnection connection = command.Connection!;
        command.CommandTimeout += seconds;
        await SetStatementTimeoutAsync(connection, Limits.StatementSeconds + seconds);
        T result;
        try
        {
            result = await execute(command);
        }
        catch
        {
            try
            {
                // A broken session does not return to the pool.
                if (connection.State == ConnectionState.Open) await SetStatementTimeoutAsync(connection, Limits.StatementSeconds);
            }
            catch (Exception e) when (e is NpgsqlException or TimeoutException or IOException)
            {
                // The first exception, thrown below, decides how the operation ends.
            }
            throw;
        }
        await SetStatementTimeoutAsync(connection, Limits.StatementSeconds);
        return result;
    }

    /// <summary>A connection of its own, that is in no pool.</summary>
    /// <exception cref="NpgsqlException">It cannot be opened.</exception>
    /// <exception cref="TimeoutException">It is not open in time.</exception>
    public ValueTask<NpgsqlConnection> OpenSingleAsync(CancellationToken cancellation) => _single.OpenAsync(cancellation);

    /// <summary>Refuses a pooler that does not keep sessions.</summary>
    /// <exception cref="JobStoreException">There is one.</exception>
    public async Task RequireSessionsAsync(NpgsqlConnection connection, CancellationToken cancellation)
    {
        await using NpgsqlConnection other = await OpenSingleAsync(cancellation);
        await SessionPooling.RequireAsync(connection, other, Location, cancellation);
    }

    /// <summary>The store is closed.</summary>
    public JobStoreUnavailableException Closed() => new(_closed);

    /// <summary>Records that a connection broke, and discards the pool's other connections, which may be dead too.</summary>
    public void Interrupted()
    {
        Interlocked.Increment(ref _interruptions);
        Volatile.Write(ref _renewedAt, Stopwatch.GetTimestamp());
        _pool.Clear();
    }

    /// <summary>
    /// Records that a connection outside of the pool could not be opened. A refusal by a server or a pooler implies nothing about the sessions that are
    /// open, so they are kept.
    /// </summary>
    public void OpeningFailed(Exception e)
    {
        if (Classify(e, isOpen: false) == ServerError.Lost) Interrupted();
    }

    /// <summary>The failure of the first connection, in words for the operator.</summary>
    public JobStoreException CannotOpen(Exception e) => new($"Cannot use {Location}: {Reason(e)}. {Remedy(e)}", e);

    public async ValueTask DisposeAsync()
    {
        await _pool.DisposeAsync();
        await _single.DisposeAsync();
    }

    private NpgsqlDataSource Build(NpgsqlConnectionStringBuilder settings, string name)
    {
        // Without a name the metrics would show the connection string as the name.
        var builder = new NpgsqlSlimDataSourceBuilder(settings.ConnectionString) { Name = name };
        builder.EnableArrays();
        builder.EnableTransportSecurity();
        builder.UsePhysicalConnectionInitializer(
            connection =>
            {
                using NpgsqlCommand command = SessionCommand(connection);
                command.ExecuteNonQuery();
            },
            async connection =>
            {
                await using NpgsqlCommand command = SessionCommand(connection);
                await command.ExecuteNonQueryAsync();
            });
        return builder.Build();
    }

    /// <summary>
    /// The settings of a session. A commit waits for the disk, even if the server's default is off. Every statement is written for an index and few
    /// rows. Planning takes longer than execution, so the server keeps one generic plan. The settings keep the planner from a plan for empty tables,
    /// and from a plan for very many rows because a limit is unknown. The statement timeout ends statements that the client has given up. No timeout
    /// ends a session that is idle outside a transaction.
    /// </summary>
    private NpgsqlCommand SessionCommand(NpgsqlConnection connection) => new(
        $"""
        select set_config('synchronous_commit', case setting when 'off' then 'on' else setting end, false),
          set_config('default_transaction_isolation', 'read committed', false),
          set_config('enable_seqscan', 'off', false), set_config('enable_hashjoin', 'off', false),
          set_config('enable_mergejoin', 'off', false), set_config('random_page_cost', '1.1', false), set_config('jit', 'off', false),
          set_config('plan_cache_mode', 'force_generic_plan', false), set_config('max_parallel_workers_per_gather', '0', false),
          set_config('statement_timeout', '{Limits.StatementSeconds}s', false), set_config('idle_in_transaction_session_timeout', '30s', false),
          set_config('idle_session_timeout', '0', false), set_config('lock_timeout', '0', false)
        from current_setting('synchronous_commit') setting
        """,
        connection)
    {
        CommandTimeout = Limits.ConnectSeconds,
    };

    private async Task<T> TryAsync<T>(Func<NpgsqlConnection, Task<T>> work, bool mayRepeat, CancellationToken cancellation)
    {
        long since = Stopwatch.GetTimestamp();
        for (int attempt = 1; ; attempt++)
        {
            bool isOpen = false;
            long tried = Stopwatch.GetTimestamp();
            ExceptionDispatchInfo failure;
            bool again;
            try
            {
                await using NpgsqlConnection connection = await _pool.OpenAsync(cancellation);
                isOpen = true;
                return await work(connection);
            }
            catch (ObjectDisposedException)
            {
                throw Closed();
            }
            catch (Exception e) when (e is NpgsqlException or TimeoutException or IOException or System.Net.Sockets.SocketException)
            {
                ServerError error = Classify(e, isOpen);
                bool maySucceed = error switch
                {
                    ServerError.Transient => attempt < 3,
                    ServerError.StaleSession => Renew(tried, TimeSpan.Zero) && attempt < 3,
                    ServerError.ReadOnly => RenewReadOnly(tried) && attempt == 1,
                    ServerError.Lost => (mayRepeat || !isOpen) && attempt == 1,
                    _ => false,
                };
                again = maySucceed && Stopwatch.GetElapsedTime(since) < Limits.SecondTry;
                if (error == ServerError.Lost) Doubt(e, isOpen);
                failure = ExceptionDispatchInfo.Capture(Translate(e, error));
            }
            if (!again) failure.Throw();
        }
    }

    /// <summary>Replaces all sessions: idle ones now, the others when they return to the pool. Does nothing if this was done since the failed try.</summary>
    /// <param name="since">A timestamp: when the failed try began.</param>
    /// <param name="pause">The shortest time between two replacements.</param>
    /// <returns>Whether the next session may be another one.</returns>
    private bool Renew(long since, TimeSpan pause)
    {
        long last = Volatile.Read(ref _renewedAt);
        if (last > since) return true;
        long now = Stopwatch.GetTimestamp();
        if (last != 0 && Stopwatch.GetElapsedTime(last, now) < pause) return false;
        if (Interlocked.CompareExchange(ref _renewedAt, now, last) == last) _pool.Clear();
        return true;
    }

    /// <summary>Replaces sessions that lead to a read-only server. Counts as an interruption, so that claims pause and the listener reconnects.</summary>
    private bool RenewReadOnly(long since)
    {
        Interlocked.Increment(ref _interruptions);
        if (!Renew(since, ReadOnlyPause)) return false;
        Failed?.Invoke();
        return true;
    }

    private JobStoreException Translate(Exception e, ServerError error) => error switch
    {
        ServerError.Refused => new JobStoreRefusedException($"PostgreSQL does not store this: {((PostgresException)e).MessageText}", e),
        ServerError.Defect => new JobStoreException($"PostgreSQL rejects a statement of this program, which is a defect: {Reason(e)}", e),
        _ => Unavailable(Reason(e), e),
    };

    private JobStoreUnavailableException Unavailable(string reason, Exception e) =>
        new($"{char.ToUpperInvariant(Location[0])}{Location[1..]} cannot be used: {reason}", e);

    /// <summary>Observes the exception of an operation whose caller has given up.</summary>
    private static void Observe(Task left) => _ = left.ContinueWith(
        static t => _ = t.Exception, CancellationToken.None,
        TaskContinuationOptions.ExecuteSynchronously | TaskContinuationOptions.OnlyOnFaulted, TaskScheduler.Default);

    private static TimeSpan Extra(long bytes) => TimeSpan.FromSeconds(bytes >> 20);

    private static async ValueTask SetStatementTimeoutAsync(NpgsqlConnection connection, int seconds)
    {
        await using var command = new NpgsqlCommand($"set statement_timeout = '{seconds}s'", connection);
        await command.ExecuteNonQueryAsync();
    }

    private void Doubt(Exception e, bool isOpen)
    {
        if (isOpen) ResponseLost?.Invoke();
        if (!IsTimeout(e)) Interrupted();
        else if (isOpen) _pool.Clear();
        else return; // no connection in time: all are in use, or the server is away, and then the connections in use fail too
        Failed?.Invoke();
    }

    private static bool IsTimeout(Exception e) => e is TimeoutException || e.InnerException is TimeoutException;

    private static ServerError Classify(Exception e, bool isOpen) =>
        e is PostgresException server ? ServerErrors.Classify(server, isOpen) : ServerError.Lost;

    private static string Reason(Exception e)
    {
        Exception inmost = e;
        while (inmost.InnerException is { } inner) inmost = inner;
        string words = inmost is PostgresException server ? $"{server.MessageText} ({server.SqlState})" : inmost.Message;
        return words.TrimEnd('.');
    }

    private static string Remedy(Exception e) => e switch
    {
        PostgresException { SqlState: ['2', '8', ..] } => "Check the user and the password in Jobs:ConnectionString.",
        PostgresException { SqlState: "3D000" } => "Create the database, or correct its name in Jobs:ConnectionString.",
        PostgresException { SqlState: "42501" } =>
            "Let the user create a schema (grant create on database), or create the schema and make the user its owner.",
        PostgresException { SqlState: "53300" } => "Raise max_connections, or lower Maximum Pool Size in Jobs:ConnectionString.",
        PostgresException => "The log of PostgreSQL says more.",
        _ => "Is PostgreSQL running there, and can it be reached from here? It is set by Jobs:ConnectionString.",
    };
}
