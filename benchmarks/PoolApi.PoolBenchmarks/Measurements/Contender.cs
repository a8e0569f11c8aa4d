namespace PoolApi.PoolBenchmarks.Measurements;

/// <summary>One of the contenders that take turns in a measurement.</summary>
/// <param name="Name">Its name in the table.</param>
/// <param name="Measure">Measures it once. Always returns the same number of figures.</param>
internal sealed record Contender(string Name, Func<double[]> Measure);
