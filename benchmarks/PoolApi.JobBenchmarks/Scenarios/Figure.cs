namespace PoolApi.JobBenchmarks.Scenarios;

/// <summary>A measured figure and its value.</summary>
/// <param name="Name">Its name, with the unit.</param>
/// <param name="Value">Its value.</param>
internal readonly record struct Figure(string Name, double Value);
