using System.Collections.Concurrent;

namespace PoolApi.PoolBenchmarks.Peers;

/// <summary>How threads of a peer empty a <see cref="BlockingCollection{T}"/>.</summary>
internal static class BlockingCollectionExtensions
{
    /// <summary>Runs each item, until the collection is complete.</summary>
    /// <remarks>
    /// While its inner queue moves to a larger segment, the collection may find the queue empty despite its own count. It then throws as if
    /// another thread had taken the item (dotnet/runtime#132736). The item is still in the queue.
    /// </remarks>
    public static void RunAll<T>(this BlockingCollection<T> queue, Action<T> run)
    {
        while (!queue.IsCompleted)
        {
            T item;
            try
            {
                if (!queue.TryTake(out item!, Timeout.Infinite)) return;
            }
            catch (InvalidOperationException)
            {
                continue;
            }
            run(item);
        }
    }
}
