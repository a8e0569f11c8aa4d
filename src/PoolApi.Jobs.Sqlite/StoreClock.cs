namespace PoolApi.Jobs.Sqlite;

/// <summary>The time of one transaction, by both clocks.</summary>
/// <param name="Now">The wall clock's time, which may be set back or forth.</param>
/// <param name="Steady">The store's steady time, which never jumps. Comparable with other steady times of the same store only.</param>
internal readonly record struct StoreTime(DateTimeOffset Now, DateTimeOffset Steady);

/// <summary>The clock of a store: the wall clock, and a steady time that cannot jump. Set once, before other threads read it.</summary>
/// <remarks>
/// The steady time is the kernel's monotonic clock plus an offset that is stored in the file. So all processes that use the file have the same
/// steady time, and it continues after a restart of the process. After a reboot the monotonic clock starts again, and a new offset is computed from
/// the wall clock. It never takes the steady time back before the last commit.
/// </remarks>
internal sealed class StoreClock(TimeProvider time)
{
    /// <summary>The steady time minus the kernel's monotonic clock, in microseconds.</summary>
    public long Offset { get; private set; }

    /// <summary>The kernel's id of the current boot; empty if the system has none.</summary>
    public static string Boot { get; } = ReadBoot();

    /// <summary>The current time.</summary>
    public StoreTime Read()
    {
        DateTimeOffset now = Timestamps.Stored(time.GetUtcNow());
        return new StoreTime(now, Timestamps.FromMicroseconds(Monotonic + Offset));
    }

    /// <summary>Adopts the stored offset, or computes a new one if the stored one belongs to another boot.</summary>
    /// <param name="kept">The stored offset and its boot; <see langword="null"/>: none is stored.</param>
    /// <param name="latest">The steady time of the last commit.</param>
    /// <param name="isAlone">Whether no other process uses the stored offset.</param>
    /// <returns>Whether the offset is new and must be stored.</returns>
    public bool Anchor((string Boot, long Offset)? kept, long latest, bool isAlone)
    {
        if (kept is { } file && (!(isAlone || Boot.Length == 0) || (file.Boot == Boot && Monotonic + file.Offset >= latest)))
        {
            Offset = file.Offset;
            return false;
        }
        Offset = Math.Max(Timestamps.ToMicroseconds(time.GetUtcNow()), latest) - Monotonic;
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
