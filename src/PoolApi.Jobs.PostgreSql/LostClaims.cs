using System.Collections.Concurrent;
using System.Diagnostics;
using Npgsql;
using NpgsqlTypes;

namespace PoolApi.Jobs.PostgreSql;

/// <summary>Gives back what was claimed by a call whose answer never came: nobody runs it, and its lease may be long.</summary>
/// <remarks>
/// <para>Each call to claim has a number of its own, written into the rows that it takes; that is how they are found.</para>
/// <para>A call that was given up may reach the database later all the same: the kernel goes on sending what a closed connection
/// has left, for some 100 seconds where an answer usually takes no time (Linux, <c>tcp_orphan_retries</c>). So it is looked for
/// again and again, for <see cref="Horizon"/>; what comes later still is freed by its lease.</para>
/// </remarks>
internal sealed class LostClaims(Database database, string schema)
{
    /// <summary>How often it is looked, while a lost call may still arrive.</summary>
    public static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    private static readonly TimeSpan Horizon = TimeSpan.FromMinutes(5);

    private readonly string _undo =
        $"""
        update {schema}.jobs j set
          state = 0, version = {JobVersion.Next}, attempt = attempt - 1, lease_until = null, alone_until = null,
          started_at = case when attempt > 1 then started_at end
        where state = 1 and worker = $1 and claim_call = any($2)
        returning id, version
        """;

    private readonly ConcurrentDictionary<long, long> _calls = new(); // and when it was given up
    private long _lookedAt; // a timestamp

    /// <summary>Whether a call may still arrive.</summary>
    public bool MayArrive => !_calls.IsEmpty;

    /// <summary>A call was given up, and nobody knows whether it was carried out.</summary>
    public void Add(long call) => _calls[call] = Stopwatch.GetTimestamp();

    /// <summary>Looks what has arrived, unless that was just done.</summary>
    /// <returns>The jobs that are queued again.</returns>
    public async ValueTask<IReadOnlyList<JobChange>> UndoAsync(string owner, CancellationToken cancellation)
    {
        long since = Stopwatch.GetTimestamp();
        if (_calls.IsEmpty || Stopwatch.GetElapsedTime(Volatile.Read(ref _lookedAt), since) < Pause) return [];
        KeyValuePair<long, long>[] calls = [.. _calls];
        List<JobChange> changes = await database.RunAsync(
            async connection =>
            {
                await using var command = new NpgsqlCommand(_undo, connection);
                command.Parameters.With(NpgsqlDbType.Text, owner)
                    .With(NpgsqlDbType.Array | NpgsqlDbType.Bigint, calls.Select(static c => c.Key).ToArray());
                return await Leases.ReadChangesAsync(command);
            },
            mayRepeat: true, cancellation);
        Volatile.Write(ref _lookedAt, since);
        foreach (var (call, givenUp) in calls)
        {
            if (Stopwatch.GetElapsedTime(givenUp, since) > Horizon) _calls.TryRemove(call, out _);
        }
        return changes;
    }
}
