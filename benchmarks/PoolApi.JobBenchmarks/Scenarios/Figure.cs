namespace PoolApi.JobBenchmarks.Scenarios;

/// <summary>Something measured, and its value.</summary>
/// <param name="Name">What, with its unit.</param>
/// <param name="Value">How much.</param>
internal readonly record struct Figure(string Name, double Value);
