namespace PoolApi.PoolBenchmarks.Reporting;

/// <summary>One figure of each contender in each round.</summary>
internal sealed class Samples
{
    private readonly Dictionary<string, List<double>> _values = [];

    /// <summary>The contenders, in the order in which they were first added.</summary>
    public IReadOnlyCollection<string> Names => _values.Keys;

    public void Add(string name, double value)
    {
        if (!_values.TryGetValue(name, out List<double>? values)) _values.Add(name, values = []);
        values.Add(value);
    }

    public bool Has(string name) => _values.ContainsKey(name);

    public double Median(string name)
    {
        double[] sorted = [.. _values[name].Order()];
        int middle = sorted.Length / 2;
        return sorted.Length % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
    }

    public double Lowest(string name) => _values[name].Min();

    public double Highest(string name) => _values[name].Max();
}
