using System.Diagnostics;

namespace PoolApi.Jobs.PostgreSql;

/// <summary>Delays claims after an interruption of the database.</summary>
/// <remarks>
/// A claim's commit does not wait for the disk, so a crash of the database may undo it. Then the job is queued although an instance runs it. That
/// instance takes it back with its next renewal, which it sends once it has a connection again. No instance may claim the job before that. All instances
/// notice a crash, because their connections end.
/// </remarks>
internal sealed class ClaimGrace(Database database, string schema)
{
    /// <summary>The length of the delay. An instance tries to connect at least every two seconds, and then renews its leases.</summary>
    private static readonly TimeSpan Length = TimeSpan.FromSeconds(3);

    private readonly WriteCheck _check = new(database, schema);
    private long _seen; // the number of interruptions at the last look
    private long _backAt; // a timestamp; 0: it has never been away

    /// <summary>The time until claims are allowed; zero: they are.</summary>
    /// <exception cref="JobStoreUnavailableException">The database is still away, or read-only.</exception>
    public async ValueTask<TimeSpan> LeftAsync(CancellationToken cancellation)
    {
        long interruptions = database.Interruptions;
        if (interruptions != Volatile.Read(ref _seen))
        {
            await database.RunAsync(_check.WriteAsync, mayRepeat: true, cancellation);
            Volatile.Write(ref _backAt, Stopwatch.GetTimestamp());
            Volatile.Write(ref _seen, interruptions);
        }
        long backAt = Volatile.Read(ref _backAt);
        if (backAt == 0) return TimeSpan.Zero;
        TimeSpan left = Length - Stopwatch.GetElapsedTime(backAt);
        return left > TimeSpan.Zero ? left : TimeSpan.Zero;
    }
}
