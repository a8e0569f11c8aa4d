using Npgsql;

namespace PoolApi.Jobs.PostgreSql;

/// <summary>Recognizes a pooler that gives a connection another session with each transaction or statement.</summary>
/// <remarks>
/// The check tests the behaviour, so it recognizes any pooler: each of two open connections must keep a session of its own. Some poolers reuse the
/// session that was returned last, and give both connections the same one. Others take sessions in turn, and change the session between two statements.
/// So the check queries both connections alternately, and each twice in a row.
/// </remarks>
internal static class SessionPooling
{
    private const string Question = "select pg_backend_pid(), pg_postmaster_start_time()";

    /// <summary>Refuses such a pooler.</summary>
    /// <exception cref="JobStoreException">There is one.</exception>
    /// <exception cref="NpgsqlException">A connection fails.</exception>
    public static async Task RequireAsync(NpgsqlConnection one, NpgsqlConnection other, string location, CancellationToken cancellation)
    {
        NpgsqlConnection[] order = [one, other, one, one, other, other, one];
        var sessions = new Dictionary<NpgsqlConnection, (int, DateTime)>();
        foreach (NpgsqlConnection connection in order)
        {
            (int, DateTime) session = await SessionAsync(connection, cancellation);
            bool isOwn = sessions.TryAdd(connection, session) ? sessions.Values.Distinct().Count() == sessions.Count : sessions[connection] == session;
            if (isOwn) continue;
            throw new JobStoreException(
                $"Cannot use {location}: a pooler between gives each transaction another session, and jobs need sessions that last (LISTEN, "
                + "prepared statements). Let the pooler pool sessions (PgBouncer: pool_mode = session), or let Jobs:ConnectionString lead "
                + "to PostgreSQL directly.");
        }
    }

    private static async Task<(int Process, DateTime ServerStart)> SessionAsync(NpgsqlConnection connection, CancellationToken cancellation)
    {
        await using var command = new NpgsqlCommand(Question, connection);
        await using NpgsqlDataReader reader = await command.ExecuteReaderAsync(cancellation);
        await reader.ReadAsync(cancellation);
        return (reader.GetInt32(0), reader.GetFieldValue<DateTime>(1));
    }
}
