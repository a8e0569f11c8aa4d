namespace PoolApi.Threading.Core.Queue;

/// <summary>How many items a worker may take along, and how many it leaves for each worker there is.</summary>
internal readonly record struct BatchPolicy(int Most, int LeaveForEach);
