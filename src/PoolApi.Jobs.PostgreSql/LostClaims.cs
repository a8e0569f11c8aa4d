using System.Collections.Concurrent;
using System.Diagnostics;
using Npgsql;
using NpgsqlTypes;

namespace PoolApi.Jobs.PostgreSql;

/// <summary>Undoes the claims of calls whose response was lost. No instance runs such jobs, and their leases may be long. Thread-safe.</summary>
/// <remarks>
/// <para>Each call has a random number that is written into the rows it claims, by which they are found.</para>
/// <para>An abandoned call may still reach the database later, because the kernel continues to send the data of a closed connection, for some 100 seconds
/// (Linux, <c>tcp_orphan_retries</c>). So its claims are searched for repeatedly during <see cref="Horizon"/>. Later ones are freed when their lease runs
/// out.</para>
/// </remarks>
internal sealed class LostClaims(Database database, string schema, ChangeNotifier changes)
{
    /// <summary>The time between searches while a lost call may still arrive.</summary>
    public static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    /// <summary>How long a lost call may still arrive.</summary>
    public static readonly TimeSpan Horizon = TimeSpan.FromMinutes(5);

    private readonly string _undo =
        $"""
        update {schema}.jobs j set
          state = 0, version = {JobVersion.Next}, attempt = attempt - 1, lease_until = null, alone_until = null,
          started_at = case when attempt > 1 then started_at end
        where state = 1 and worker = $1 and claim_call = any($2)
        returning id, version
        """;

    private readonly ConcurrentDictionary<long, long> _calls = new(); // the number of each call, and when it was given up
    private long _lookedAt; // a timestamp

    /// <summary>Whether a call may still arrive.</summary>
    public bool MayArrive => !_calls.IsEmpty;

    /// <summary>Records a call that was abandoned and may have been executed.</summary>
    public void Add(long call) => _calls[call] = Stopwatch.GetTimestamp();

    /// <summary>Undoes the claims that have arrived, unless the last search was just now.</summary>
    public async ValueTask UndoAsync(string owner, CancellationToken cancellation)
    {
        long since = Stopwatch.GetTimestamp();
        if (_calls.IsEmpty || Stopwatch.GetElapsedTime(Volatile.Read(ref _lookedAt), since) < Pause) return;
        KeyValuePair<long, long>[] calls = [.. _calls];
        await database.RunAsync(
            async connection =>
            {
                await using var command = new NpgsqlCommand(_undo, connection);
                command.Parameters.With(NpgsqlDbType.Text, owner)
                    .With(NpgsqlDbType.Array | NpgsqlDbType.Bigint, calls.Select(static c => c.Key).ToArray());
                await changes.ExecuteAsync(command);
                return true;
            },
            mayRepeat: true, cancellation);
        Volatile.Write(ref _lookedAt, since);
        foreach (var (call, givenUp) in calls)
        {
            if (Stopwatch.GetElapsedTime(givenUp, since) > Horizon) _calls.TryRemove(call, out _);
        }
    }
}
