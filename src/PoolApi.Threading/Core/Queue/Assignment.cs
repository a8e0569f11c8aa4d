namespace PoolApi.Threading.Core.Queue;

/// <summary>What a worker runs next: the item itself or a continuation of it.</summary>
internal readonly record struct Assignment(PoolWorkItem Item, SendOrPostCallback? Callback, object? State);
