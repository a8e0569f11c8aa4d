namespace PoolApi.Threading.Core.Queue;

/// <summary>A continuation of an item that is under way.</summary>
internal readonly record struct Resumption(PoolWorkItem Item, SendOrPostCallback Callback, object? State);
