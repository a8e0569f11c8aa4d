using System.Globalization;

namespace PoolApi.Jobs;

/// <summary>What the numbers of jobs may be, and what they are if nobody says otherwise. The options and the service's settings go by these.</summary>
internal static class JobRanges
{
    /// <summary>The longest that a stored body or result may be, whatever is set: what a row of either store surely takes.</summary>
    public const int MaxBytes = 512 * 1024 * 1024;

    /// <summary>The most that the memory of jobs in hand is by default, however much there is.</summary>
    public const long MaxDefaultMemoryBytes = 256 * 1024 * 1024;

    /// <summary>Attempts of one job.</summary>
    public static readonly JobRange<int> MaxAttempts = new(3, 1, 100);

    /// <summary>The length of a body, and of a result.</summary>
    public static readonly JobRange<int> Bytes = new(32 * 1024 * 1024, 1, MaxBytes);

    /// <summary>How long after an instance has died others take on its jobs.</summary>
    public static readonly JobRange<TimeSpan> Lease = new(TimeSpan.FromSeconds(30), TimeSpan.FromSeconds(3), TimeSpan.FromHours(1));

    /// <summary>How long a finished job keeps its body and result.</summary>
    public static readonly JobRange<TimeSpan> Retention = new(TimeSpan.FromDays(1), TimeSpan.FromSeconds(1), TimeSpan.FromDays(3650));

    /// <summary>The share of the workers' time that jobs can count on.</summary>
    public static readonly JobRange<double> Share = new(0.02, 0, 1);

    /// <summary>How often a job is begun again because its instance died.</summary>
    public static readonly JobRange<int> MaxRedeliveries = new(3, 0, 1000);

    /// <summary>The pause before the second attempt.</summary>
    public static readonly JobRange<TimeSpan> RetryDelay = new(TimeSpan.FromSeconds(1), TimeSpan.FromMilliseconds(1), TimeSpan.FromHours(1));
}

/// <summary>A default, and the least and the most that may be set.</summary>
internal sealed class JobRange<T>(T usual, T min, T max)
    where T : struct, IComparable<T>, IFormattable
{
    /// <summary>If nothing is set.</summary>
    public T Default => usual;

    /// <summary>The least.</summary>
    public T Min => min;

    /// <summary>The most.</summary>
    public T Max => max;

    /// <summary>Whether it may be. What is no number may not.</summary>
    public bool Contains(T value) => value.CompareTo(min) >= 0 && value.CompareTo(max) <= 0;

    /// <summary>The range in words: "1 to 100".</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{min} to {max}");
}
