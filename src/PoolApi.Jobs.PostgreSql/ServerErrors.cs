using Npgsql;

namespace PoolApi.Jobs.PostgreSql;

/// <summary>The class of a server's error: it decides whether the session is kept, and whether the statement is tried again.</summary>
internal enum ServerError
{
    /// <summary>The server cannot run the statement now. The session is intact, and the caller may try again later.</summary>
    Unavailable,

    /// <summary>The transaction lost against others, or was cancelled. It is rolled back, and the next try may succeed at once.</summary>
    Transient,

    /// <summary>
    /// The session has ended, or has lost its prepared statements or plans. The statement had no effect. Another session can run it, because the
    /// server itself is available.
    /// </summary>
    StaleSession,

    /// <summary>
    /// The session only reads: it leads to a standby, or the database was set to read-only. Nothing was done. Sessions keep this after the
    /// database accepts writes again, so they are dropped.
    /// </summary>
    ReadOnly,

    /// <summary>The connection is lost, and perhaps the server. The outcome of the statement is unknown.</summary>
    Lost,

    /// <summary>The server does not store this value, however often it is tried.</summary>
    Refused,

    /// <summary>The statement is wrong: a defect of this program.</summary>
    Defect,
}

/// <summary>Classifies the errors that the server reports, by their SQLSTATEs.</summary>
internal static class ServerErrors
{
    /// <summary>What an error means.</summary>
    /// <param name="e">The error.</param>
    /// <param name="isOpen">The session had been opened. If not, there is no session that could be broken.</param>
    public static ServerError Classify(PostgresException e, bool isOpen) =>
        // PgBouncer at max_client_conn refuses a new connection with this state. Open sessions are not affected. A dead one is detected when it is used.
        !isOpen && e.SqlState == "08P01" ? ServerError.Unavailable
        : Classify(e.SqlState, isOpen && e.InvariantSeverity is "FATAL" or "PANIC", e.Routine);

    /// <inheritdoc cref="Classify(PostgresException, bool)"/>
    /// <param name="state">Its SQLSTATE.</param>
    /// <param name="endsSession">The server closes the session after it: FATAL or PANIC.</param>
    /// <param name="routine">The function of the server that reports it.</param>
    public static ServerError Classify(string state, bool endsSession = false, string? routine = null) => state switch
    {
        "25006" => ServerError.ReadOnly, // read_only_sql_transaction, in recovery too
        "25P03" or "25P04" or "57P05" => ServerError.StaleSession, // idle in transaction, transaction, idle session: timeouts that end one session
        _ when endsSession => ServerError.Lost,

        "57P01" or "57P02" or "57P03" or "57P04" => ServerError.Lost, // shutdown, crash, starting up, database dropped
        "40003" => ServerError.Lost, // statement completion unknown
        ['0', '8', ..] => ServerError.Lost, // connection; poolers also report these about the server behind them

        "0A000" => ServerError.StaleSession, // cached plan must not change result type
        "26000" or "42P05" => ServerError.StaleSession, // prepared statement does not exist, or exists already
        ['2', '5', ..] => ServerError.StaleSession, // in a transaction, or a failed one, that the store did not leave open
        ['2', '4', ..] or ['3', '4', ..] => ServerError.StaleSession, // portal state
        "XX000" => ServerError.StaleSession, // internal: a cache of the session that disagrees with the catalog

        ['4', '0', ..] => ServerError.Transient, // serialization, deadlock
        "55P03" => ServerError.Transient, // lock not available
        "57014" => ServerError.Transient, // cancelled; after statement_timeout there is no time left for another try

        "54000" when routine is "GetNewTransactionId" or "GetNewMultiXactId" => ServerError.Unavailable, // protection against wraparound
        ['2', '2', ..] or ['2', '3', ..] or ['5', '4', ..] => ServerError.Refused, // data, constraints, limits

        "42P01" or "3F000" or "42703" or "42704" or "42883" or "42501" => ServerError.Unavailable, // the schema or its rights were changed
        ['4', '2', ..] or ['2', '1', ..] => ServerError.Defect, // syntax, types; cardinality

        // Resources (53), object states (55), operator (57), system (58), corruption (XX001, XX002), authorization (28), no such
        // database (3D), an operator's own triggers (P0), and what is unknown.
        _ => ServerError.Unavailable,
    };
}
