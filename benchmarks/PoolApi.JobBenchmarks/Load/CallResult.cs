namespace PoolApi.JobBenchmarks.Load;

/// <summary>What calls were made, and what each took.</summary>
internal sealed class CallResult
{
    private readonly double[] _milliseconds;

    public CallResult(TimeSpan elapsed, IEnumerable<double> milliseconds)
    {
        _milliseconds = [.. milliseconds.Order()];
        PerSecond = _milliseconds.Length / elapsed.TotalSeconds;
    }

    /// <summary>How many were answered each second, by all callers together.</summary>
    public double PerSecond { get; }

    /// <summary>What so many percent of the calls took at most, in milliseconds.</summary>
    public double Percentile(double percent) =>
        _milliseconds[Math.Max(0, (int)Math.Ceiling(_milliseconds.Length * percent / 100) - 1)];
}
