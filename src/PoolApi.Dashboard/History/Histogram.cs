using System.Numerics;

namespace PoolApi.Dashboard.History;

/// <summary>A histogram of durations with 8 equal buckets for each doubling. A percentile is the middle of its bucket, at most 6.25 % off.
/// Not thread-safe.</summary>
/// <remarks>The buckets range from 1 µs to 19 hours. Shorter and longer durations count in the first and the last bucket.</remarks>
internal sealed class Histogram
{
    private const int PerDoubling = 8;
    private const int Doublings = 36;

    private readonly int[] _counts = new int[PerDoubling * Doublings];

    public long Total { get; private set; }

    public void Add(double milliseconds, int times = 1)
    {
        _counts[BucketOf(milliseconds)] += times;
        Total += times;
    }

    public void Add(Histogram other)
    {
        for (int i = 0; i < _counts.Length; i++) _counts[i] += other._counts[i];
        Total += other.Total;
    }

    public void Clear()
    {
        Array.Clear(_counts);
        Total = 0;
    }

    /// <summary>A percentile in milliseconds, the middle of its bucket; null if nothing was counted.</summary>
    public double? Percentile(double percent)
    {
        if (Total == 0) return null;
        long rank = Math.Max(1, (long)Math.Ceiling(Total * percent / 100));
        long sum = 0;
        for (int i = 0; i < _counts.Length; i++)
        {
            sum += _counts[i];
            if (sum >= rank) return MiddleOf(i);
        }
        return MiddleOf(_counts.Length - 1);
    }

    private int BucketOf(double milliseconds)
    {
        double microseconds = milliseconds * 1000;
        if (!(microseconds > 1)) return 0;
        if (microseconds >= 1UL << Doublings) return _counts.Length - 1;
        ulong whole = (ulong)microseconds;
        int doubling = BitOperations.Log2(whole);
        double fraction = (microseconds / (1UL << doubling)) - 1;
        return (doubling * PerDoubling) + (int)(fraction * PerDoubling);
    }

    private static double MiddleOf(int bucket)
    {
        (int doubling, int part) = Math.DivRem(bucket, PerDoubling);
        return (1UL << doubling) * (1 + ((part + 0.5) / PerDoubling)) / 1000;
    }
}
