using System.Diagnostics;

namespace PoolApi.Jobs.PostgreSql;

/// <summary>After the database was away, nothing is claimed for a while.</summary>
/// <remarks>
/// A claim does not wait for the disk, so a crash may undo it: the job is queued again, and yet somebody runs it. That instance
/// takes it back by its next renewal, which it sends as soon as it has a connection again; nobody else must be faster, nor that
/// instance itself. All of them notice a crash, by the end of their connections.
/// </remarks>
internal sealed class ClaimGrace(Database database, string schema)
{
    /// <summary>An instance tries to connect every two seconds at least; and then it has to say what it runs.</summary>
    private static readonly TimeSpan Length = TimeSpan.FromSeconds(3);

    private readonly WriteCheck _check = new(database, schema);
    private long _seen; // so many interruptions
    private long _backAt; // a timestamp; 0: it has never been away

    /// <summary>How long nothing may be claimed yet; zero: now it may.</summary>
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
