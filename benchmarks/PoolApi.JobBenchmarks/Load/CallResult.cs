namespace PoolApi.JobBenchmarks.Load;

/// <summary>The number of calls and the time of each.</summary>
internal sealed class CallResult
{
    private readonly double[] _milliseconds;

    public CallResult(TimeSpan elapsed, IEnumerable<double> milliseconds)
    {
        _milliseconds = [.. milliseconds.Order()];
        PerSecond = _milliseconds.Length / elapsed.TotalSeconds;
    }

    /// <summary>The completed calls per second, of all callers together.</summary>
    public double PerSecond { get; }

    /// <summary>The time that the given percentage of the calls took at most, in milliseconds.</summary>
    public double Percentile(double percent) =>
        _milliseconds[Math.Max(0, (int)Math.Ceiling(_milliseconds.Length * percent / 100) - 1)];
}
