namespace PoolApi.Jobs.Sqlite;

/// <summary>The time as one transaction has it.</summary>
/// <param name="Now">What the machine's clock shows: a time of day, which may be set back or forth.</param>
/// <param name="Steady">The store's own time: it passes evenly, and never goes back. For comparisons with other times of the store only.</param>
internal readonly record struct StoreTime(DateTimeOffset Now, DateTimeOffset Steady);

/// <summary>The clock of a store: what the machine's clock shows, and a time that cannot jump.</summary>
/// <remarks>
/// The steady time is the kernel's monotonic clock and an offset that the file keeps. So it is the same for all processes on the
/// file, and goes on after a restart. When the machine has started anew, so has the monotonic clock: there is a new offset then, by
/// the machine's clock, but never one that would take the steady time back behind the last commit.
/// </remarks>
internal sealed class StoreClock(TimeProvider time)
{
    /// <summary>From the kernel's monotonic clock to the steady time, in microseconds.</summary>
    public long Offset { get; private set; }

    /// <summary>Names the start of the machine; empty where the system does not tell.</summary>
    public static string Boot { get; } = ReadBoot();

    /// <summary>What it is now.</summary>
    public StoreTime Read()
    {
        DateTimeOffset now = Moments.Stored(time.GetUtcNow());
        return new StoreTime(now, Moments.FromMicroseconds(Monotonic + Offset));
    }

    /// <summary>Uses the offset that the file has, or gives it another if that one is of another start of the machine.</summary>
    /// <param name="kept">What the file has; <see langword="null"/>: nothing yet.</param>
    /// <param name="latest">The steady time of the last commit.</param>
    /// <param name="isAlone">No other process uses the file's offset.</param>
    /// <returns>Whether the offset is another than the file's, and to be kept in it.</returns>
    public bool Anchor((string Boot, long Offset)? kept, long latest, bool isAlone)
    {
        if (kept is { } file && (!(isAlone || Boot.Length == 0) || (file.Boot == Boot && Monotonic + file.Offset >= latest)))
        {
            Offset = file.Offset;
            return false;
        }
        Offset = Math.Max(Moments.ToMicroseconds(time.GetUtcNow()), latest) - Monotonic;
        return true;
    }

    private long Monotonic => (long)((Int128)time.GetTimestamp() * 1_000_000 / time.TimestampFrequency);

    private static string ReadBoot()
    {
        try
        {
            return File.ReadAllText("/proc/sys/kernel/random/boot_id").Trim();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return "";
        }
    }
}
