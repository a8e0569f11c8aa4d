using System.Diagnostics.CodeAnalysis;

namespace PoolApi.Threading.Core;

/// <summary>
/// What a pool has to run: items that wait, oldest first, and resumptions of items that are under way. Resumptions go
/// first: finishing what was started frees memory and callers sooner than starting more. Not thread-safe: guarded by the
/// pool's gate.
/// </summary>
/// <remarks>
/// Items are chained through their own links, so queueing allocates nothing and any item can be taken out of the middle
/// at once, which is what frees the slot of a cancelled one.
/// </remarks>
internal sealed class WorkQueue
{
    private readonly Queue<Resumption> _resumptions = new();
    private WorkItemList _waiting;

    /// <summary>Items that wait; resumptions do not count.</summary>
    public int Count => _waiting.Count;

    /// <summary>The item that has waited longest.</summary>
    public PoolWorkItem? Oldest => _waiting.First;

    public void Enqueue(PoolWorkItem item) => _waiting.AddLast(item);

    public void Enqueue(Resumption resumption) => _resumptions.Enqueue(resumption);

    public bool TryDequeue([NotNullWhen(true)] out PoolWorkItem? item)
    {
        item = _waiting.First;
        if (item is null) return false;
        _waiting.Remove(item);
        return true;
    }

    public bool TryDequeueResumption(out Resumption resumption) => _resumptions.TryDequeue(out resumption);

    public void Remove(PoolWorkItem item) => _waiting.Remove(item);
}

/// <summary>A continuation of an item that is under way.</summary>
internal readonly record struct Resumption(PoolWorkItem Item, SendOrPostCallback Callback, object? State);
