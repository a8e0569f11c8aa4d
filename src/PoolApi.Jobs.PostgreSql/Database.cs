using System.Diagnostics;
using System.Runtime.ExceptionServices;
using Npgsql;

namespace PoolApi.Jobs.PostgreSql;

/// <summary>The connections to the database, and what is made of their failures.</summary>
/// <remarks>
/// <para>Every wait has an end: to connect takes <see cref="DatabaseLimits.ConnectSeconds"/> at most, an answer <see cref="DatabaseLimits.CommandSeconds"/>. Npgsql's
/// own timeout does not cover the TLS handshake, so an opening has a limit of its own (<see cref="HostSources"/>). A command that is late is given up with its connection. Npgsql asks the server to cancel it first, on one more connection, which
/// takes <see cref="DatabaseLimits.ConnectSeconds"/> more if the server does not respond; so the caller gets the exception after <see cref="DatabaseLimits.Patience"/>.</para>
/// <para>What failed because the connection did is tried once more if that is safe and there is time: after a restart of the
/// server, connections in the pool are dead without anybody knowing.</para>
/// <para>What an error of the server means, <see cref="ServerErrors"/> decides.</para>
/// </remarks>
internal sealed class Database : IAsyncDisposable
{
    private const string PoolName = "jobs";
    private const string ListenerName = "jobs-listener";

    /// <summary>Sessions that only read are replaced this often at most, so a database that stays read-only is not flooded with connections.</summary>
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
        Place = PlaceOf(given);
        _closed = $"The job store in {Place} is closed.";
        // A second for the pool and the handshake.
        TimeSpan limit = TimeSpan.FromSeconds(limits.ConnectSeconds + 1);
        var order = new HostOrder(TimeProvider.System);
        given.Timeout = limits.ConnectSeconds;
        given.CommandTimeout = limits.CommandSeconds;
        given.CancellationTimeout = -1; // nothing is waited for on a connection that is given up
        given.NoResetOnClose = true; // no session state is left behind
        given.Enlist = false;
        // Where it is only preferred, the default, whatever cannot be reached is tried twice, with it and without.
        if (given.GssEncryptionMode == GssEncryptionMode.Prefer) given.GssEncryptionMode = GssEncryptionMode.Disable;
        given.MaxAutoPrepare = 0; // what is worth it is prepared by name
        given.ApplicationName ??= "poolapi";
        // Many instances share one server: 100 each, Npgsql's default, would be all that a server has by default.
        if (given.MaxPoolSize == 100) given.MaxPoolSize = 16;
        _pool = new HostSources(given, order, limit, PoolName, Build);
        // The listener's: it only waits, so that only the kernel can find out that the other side is gone.
        given.Pooling = false;
        given.TcpKeepAliveTime = 3;
        given.TcpKeepAliveInterval = 1;
        _single = new HostSources(given, order, limit, ListenerName, Build);
    }

    /// <summary>Where the connection string leads, in words for the operator. Without secrets.</summary>
    public string Place { get; }

    /// <summary>How often a connection was broken so far. One that is only late may be well: there is much to do.</summary>
    public long Interruptions => Volatile.Read(ref _interruptions);

    /// <summary>Is called when a connection has failed: others may have, too.</summary>
    public Action? Failed { get; set; }

    /// <summary>Is called when the answer to a statement is lost: it may have been carried out, or may be later.</summary>
    public Action? AnswerLost { get; set; }

    /// <summary>The time limits.</summary>
    public DatabaseLimits Limits { get; }

    /// <summary>Does something on a connection of the pool.</summary>
    /// <remarks>
    /// A caller may give up before the work is done. So the work itself reports the changes that it has made, once they are committed: when its
    /// reader is closed, and not only when it has read the last row.
    /// </remarks>
    /// <param name="work">What is done.</param>
    /// <param name="mayRepeat">To do it twice is no harm.</param>
    /// <param name="cancellation">Gives up, if to do it twice is no harm: otherwise it matters what was done.</param>
    /// <param name="patience">How long it may take, if not <see cref="DatabaseLimits.Patience"/>. Whether it was done is not known then.</param>
    /// <exception cref="JobStoreUnavailableException">The database cannot be used.</exception>
    /// <exception cref="JobStoreRefusedException">It will not store this.</exception>
    public async Task<T> RunAsync<T>(
        Func<NpgsqlConnection, Task<T>> work, bool mayRepeat, CancellationToken cancellation, TimeSpan? patience = null)
    {
        cancellation.ThrowIfCancellationRequested();
        Task<T> running = TryAsync(work, mayRepeat, cancellation);
        if (running.IsCompleted) return await running;
        try
        {
            // A command is not interrupted, since that would cost its connection: who gives up leaves it to its end, which is near.
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
    private static string PlaceOf(NpgsqlConnectionStringBuilder settings) =>
        $"the PostgreSQL database {settings.Database ?? settings.Username} on {settings.Host}:{settings.Port}";

    /// <summary><see cref="DatabaseLimits.Patience"/> for what takes bodies along: a MiB takes a second at worst.</summary>
    public TimeSpan PatienceFor(long bytes) => Limits.Patience + Extra(bytes);

    /// <summary>Gives a command that takes bodies along the time for it: here, and at the server, whose limit is of the session.</summary>
    public async ValueTask ExtendAsync(NpgsqlCommand command, long bytes)
    {
        int seconds = (int)Extra(bytes).TotalSeconds;
        if (seconds == 0) return;
        command.CommandTimeout += seconds;
        await SetStatementTimeoutAsync(command.Connection!, Limits.StatementSeconds + seconds);
    }

    /// <summary>Gives the session its usual limit back.</summary>
    public ValueTask EndExtensionAsync(NpgsqlCommand command, long bytes) =>
        Extra(bytes) < TimeSpan.FromSeconds(1) ? default : SetStatementTimeoutAsync(command.Connection!, Limits.StatementSeconds);

    /// <summary>A connection of its own, that is in no pool.</summary>
    /// <exception cref="NpgsqlException">It cannot be opened.</exception>
    /// <exception cref="TimeoutException">It is not open in time.</exception>
    public ValueTask<NpgsqlConnection> OpenSingleAsync(CancellationToken cancellation) => _single.OpenAsync(cancellation);

    /// <summary>Refuses a pooler that does not keep sessions.</summary>
    /// <exception cref="JobStoreException">There is one.</exception>
    public async Task RequireSessionsAsync(NpgsqlConnection connection, CancellationToken cancellation)
    {
        await using NpgsqlConnection other = await OpenSingleAsync(cancellation);
        await SessionPooling.RequireAsync(connection, other, Place, cancellation);
    }

    /// <summary>The store is closed.</summary>
    public JobStoreUnavailableException Closed() => new(_closed);

    /// <summary>A connection is broken. Those that are not in use are thrown away: they may be dead, too.</summary>
    public void Interrupted()
    {
        Interlocked.Increment(ref _interruptions);
        Volatile.Write(ref _renewedAt, Stopwatch.GetTimestamp());
        _pool.Clear();
    }

    /// <summary>The failure of the first connection, in words for the operator.</summary>
    public JobStoreException CannotOpen(Exception e) => new($"Cannot use {Place}: {Reason(e)}. {Remedy(e)}", e);

    public async ValueTask DisposeAsync()
    {
        await _pool.DisposeAsync();
        await _single.DisposeAsync();
    }

    private NpgsqlDataSource Build(NpgsqlConnectionStringBuilder settings, string name)
    {
        // Without a name the metrics would have the connection string in its place.
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
    /// What a session is set to. A commit waits for the disk, whatever the server's default. Every statement here is written for
    /// an index and few rows, so its plan is made once and kept, which takes longer than to run it: it must not be made for tables
    /// that are still empty, nor (its limit being unknown) for very many rows. And what the client has given up ends at the server, too.
    /// A session of the pool, or one that listens, may be idle for as long as it likes.
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

    /// <summary>Replaces all sessions that there are, those in use as soon as they are given back; unless that was done since.</summary>
    /// <param name="since">When the session that failed was asked for: a timestamp.</param>
    /// <param name="pause">How long after the last time nothing is replaced.</param>
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

    /// <summary>The sessions lead to a server that is no longer the one that is written to: as after an interruption, others have to notice.</summary>
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
        ServerError.Defect => new JobStoreException($"PostgreSQL does not understand this program: {Reason(e)}", e),
        _ => Unavailable(Reason(e), e),
    };

    private JobStoreUnavailableException Unavailable(string reason, Exception e) =>
        new($"{char.ToUpperInvariant(Place[0])}{Place[1..]} cannot be used: {reason}", e);

    /// <summary>Nobody asks any more how it ends.</summary>
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
        if (isOpen) AnswerLost?.Invoke();
        if (e is not TimeoutException && e.InnerException is not TimeoutException) Interrupted();
        else if (isOpen) _pool.Clear();
        else return; // no connection in time: all are in use, or the server is away, and then the connections in use fail too
        Failed?.Invoke();
    }

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
