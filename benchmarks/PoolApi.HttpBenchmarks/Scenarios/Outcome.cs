namespace PoolApi.HttpBenchmarks.Scenarios;

/// <summary>The figures of a server under load. Times are in milliseconds from the planned start.</summary>
/// <param name="Served">Requests per second that were served before their clients gave up.</param>
/// <param name="Served99">The 99th percentile of their times; <see langword="null"/> if none was served.</param>
/// <param name="Rejected99">The 99th percentile of the times of rejections; <see langword="null"/> if none was rejected.</param>
/// <param name="Health50">The median time of the health check.</param>
/// <param name="Health99">The 99th percentile of the times of the health check.</param>
internal readonly record struct Outcome(double Served, double? Served99, double? Rejected99, double Health50, double Health99);
