using System.Diagnostics;
using Npgsql;

namespace PoolApi.Jobs.PostgreSql;

/// <summary>Checks by a write whether the database accepts writes. Thread-safe.</summary>
/// <remarks>
/// The write locks the row of the schema's version. It costs a record in the log and a commit, but no new row version. It skips a row that another
/// instance has locked. While no connection fails, a check writes at most once in an <see cref="Interval"/>. After a failure each check writes until one
/// succeeds.
/// </remarks>
internal sealed class WriteCheck(Database database, string schema)
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(15);

    private long _seen = -1; // the number of interruptions at the last look
    private long _checkedAt; // a timestamp

    /// <summary>Checks the database, unless a check succeeded within <see cref="Interval"/> and no connection has failed since.</summary>
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
