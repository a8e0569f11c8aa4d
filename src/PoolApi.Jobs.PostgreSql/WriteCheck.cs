using System.Diagnostics;
using Npgsql;

namespace PoolApi.Jobs.PostgreSql;

/// <summary>Checks by a write whether the database accepts writes. Thread-safe.</summary>
/// <remarks>
/// The write locks the row of the schema's version: a record in the log and a commit, no new row version. A row that another instance
/// is locking is passed over. While the database is well, the write is made every <see cref="Interval"/> at most, and only when somebody
/// asks; after a failure it is made each time until it succeeds.
/// </remarks>
internal sealed class WriteCheck(Database database, string schema)
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(15);

    private long _seen = -1; // so many interruptions
    private long _checkedAt; // a timestamp

    /// <summary>Checks it, unless that was done a short time ago and nothing has failed since.</summary>
    /// <exception cref="JobStoreUnavailableException">The database does not accept writes.</exception>
    public async ValueTask RunAsync(CancellationToken cancellation)
    {
        long interruptions = database.Interruptions;
        if (interruptions == Volatile.Read(ref _seen) && Stopwatch.GetElapsedTime(Volatile.Read(ref _checkedAt)) < Interval) return;
        await database.RunAsync(WriteAsync, mayRepeat: true, cancellation);
        Volatile.Write(ref _checkedAt, Stopwatch.GetTimestamp());
        Volatile.Write(ref _seen, interruptions);
    }

    /// <summary>Makes the write.</summary>
    public async Task<bool> WriteAsync(NpgsqlConnection connection)
    {
        await using var command = new NpgsqlCommand($"select from {schema}.schema_version where version = 1 for no key update skip locked", connection);
        await command.ExecuteNonQueryAsync();
        return true;
    }
}
