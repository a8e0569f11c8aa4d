namespace PoolApi.Threading.Core.Queue;

/// <summary>The most items of a local batch, and the number of items that must stay for each worker.</summary>
internal readonly record struct BatchPolicy(int Most, int LeaveForEach);
