namespace PoolApi.PoolBenchmarks.Measurements;

/// <summary>One of those that take turns in a measurement.</summary>
/// <param name="Name">Its name in the table.</param>
/// <param name="Measure">Measures it once; always the same number of figures.</param>
internal sealed record Contender(string Name, Func<double[]> Measure);
