namespace PoolApi.PoolBenchmarks.Measurements;

/// <summary>Computes percentiles of samples.</summary>
internal static class Percentiles
{
    /// <summary>The median and the 99th percentile. Sorts the samples.</summary>
    public static double[] MedianAnd99th(double[] samples)
    {
        Array.Sort(samples);
        return [samples[samples.Length / 2], samples[(int)(samples.Length * 0.99)]];
    }
}
