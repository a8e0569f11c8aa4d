namespace PoolApi.HttpBenchmarks.Scenarios;

/// <summary>How a server fared under load. Times are in milliseconds from the planned start.</summary>
/// <param name="Served">How many were answered each second, before their clients gave up.</param>
/// <param name="Served99">In what time, but for one in a hundred; <see langword="null"/> if none was.</param>
/// <param name="Rejected99">In what time others were told that there is no room; <see langword="null"/> if none was.</param>
/// <param name="Health50">Its health check.</param>
/// <param name="Health99">Its health check, but for one in a hundred.</param>
internal readonly record struct Outcome(double Served, double? Served99, double? Rejected99, double Health50, double Health99);
