using System.Globalization;

namespace PoolApi.Jobs.Running;

/// <summary>The ranges and defaults of the numeric job options. The options and the service's settings both use them.</summary>
internal static class JobRanges
{
    /// <summary>The largest body or result that can be configured, in bytes. A row of either store can hold it.</summary>
    public const int MaxBytes = 512 * 1024 * 1024;

    /// <summary>The upper bound of the default of <c>Jobs:MemoryBytes</c>, in bytes.</summary>
    public const long MaxDefaultMemoryBytes = 256 * 1024 * 1024;

    /// <summary>Attempts of one job.</summary>
    public static readonly JobRange<int> MaxAttempts = new(3, 1, 100);

    /// <summary>The length of a body, and of a result, in bytes.</summary>
    public static readonly JobRange<int> Bytes = new(32 * 1024 * 1024, 1, MaxBytes);

    /// <summary>How long after the death of an instance other instances run its jobs.</summary>
    public static readonly JobRange<TimeSpan> Lease = new(TimeSpan.FromSeconds(30), TimeSpan.FromSeconds(3), TimeSpan.FromHours(1));

    /// <summary>How long a finished job keeps its body and result.</summary>
    public static readonly JobRange<TimeSpan> Retention = new(TimeSpan.FromDays(1), TimeSpan.FromSeconds(1), TimeSpan.FromDays(3650));

    /// <summary>The share of the workers' time that is reserved for jobs.</summary>
    public static readonly JobRange<double> Share = new(0.02, 0, 1);

    /// <summary>The most deaths of its instance after which a job is run again. Only a death at which no other job ran there counts.</summary>
    public static readonly JobRange<int> MaxRedeliveries = new(3, 0, 1000);

    /// <summary>The pause before the second attempt. No later pause is longer than the maximum either.</summary>
    public static readonly JobRange<TimeSpan> RetryDelay = new(TimeSpan.FromSeconds(1), TimeSpan.FromMilliseconds(1), TimeSpan.FromMinutes(5));
}

/// <summary>A default, a minimum and a maximum.</summary>
internal sealed class JobRange<T>(T usual, T min, T max)
    where T : struct, IComparable<T>, IFormattable
{
    /// <summary>The default.</summary>
    public T Default => usual;

    /// <summary>The minimum.</summary>
    public T Min => min;

    /// <summary>The maximum.</summary>
    public T Max => max;

    /// <summary>Whether a value is within the range. NaN is not.</summary>
    public bool Contains(T value) => value.CompareTo(min) >= 0 && value.CompareTo(max) <= 0;

    /// <summary>The range in words: "1 to 100".</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{min} to {max}");
}
