using PoolApi.Threading.Core.Atomics;
using PoolApi.Threading.Core.Queue;

namespace PoolApi.Threading.Core.Stopping;

/// <summary>The order of a stop with deadlines, from the close until its workers have ended or are left behind.</summary>
/// <remarks>
/// <code>
///   close ──► drained? ──no──► hand back and cancel
///                │                     │
///                └────yes──────► let the workers go ──► exited? ──no──► abandon
/// </code>
/// One caller runs it. Others may take any of its steps meanwhile: close the pool, cancel its items, or abandon them if the last worker is lost.
/// </remarks>
internal static class StopOrder<TOps>
    where TOps : struct, IAtomicOps
{
    /// <summary>Runs the steps.</summary>
    /// <param name="stop">The steps.</param>
    /// <param name="deadline">How long the drain may take.</param>
    /// <param name="grace">How long the workers may take after it.</param>
    /// <param name="completesWithin">Waits for a step, and returns whether it has completed within a time.</param>
    /// <returns>The workers that are still inside an item's code.</returns>
    public static async Task<QueueWorker[]> RunAsync(
        PoolStop<TOps> stop, TimeSpan deadline, TimeSpan grace, Func<Task, TimeSpan, Task<bool>> completesWithin)
    {
        stop.Close();
        if (!await completesWithin(stop.Drained, deadline).ConfigureAwait(false)) stop.CancelAll(); // fault point: order-cancel
        stop.LetGo(); // fault point: order-let-go
        return await completesWithin(stop.Exited, grace).ConfigureAwait(false) ? [] : stop.Abandon(); // fault point: order-abandon
    }
}
