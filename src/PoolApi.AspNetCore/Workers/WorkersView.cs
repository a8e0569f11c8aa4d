using System.Diagnostics;
using System.Text.Json.Serialization;
using PoolApi.AspNetCore.Endpoints;
using PoolApi.AspNetCore.Shutdown;
using PoolApi.Threading;

namespace PoolApi.AspNetCore.Workers;

/// <summary>The JSON document of all pools and workers of the app at one moment.</summary>
internal sealed record WorkersView(string State, IReadOnlyList<WorkersView.PoolView> Pools)
{
    public static WorkersView Of(ShutdownCoordinator shutdown, PoolContexts pools) =>
        new(shutdown.State.ToWord(), [.. pools.All.Select(static pool => PoolView.Of(pool))]);

    internal sealed record PoolView(string Name, QueueView Queue, int Suspended, IReadOnlyList<WorkerView> Workers)
    {
        public static PoolView Of(PoolContext pool)
        {
            PoolSnapshot now = pool.Threads.GetSnapshot();
            var queue = new QueueView(now.QueueLength, now.QueueCapacity, Ms(now.OldestAge), pool.Bodies.Used);
            return new PoolView(pool.Threads.Name, queue, now.Suspended, [.. now.Workers.Select(WorkerView.Of)]);
        }
    }

    internal sealed record QueueView(int Length, int Capacity, double? OldestAgeMs, long Bytes);

    internal sealed record WorkerView(
        int Id, string Name, string State, string? Kind, string? Route, double? ElapsedMs, string? TraceId, long Completed, long Failed,
        double BusySeconds)
    {
        public static WorkerView Of(WorkerSnapshot w) => new(
            w.Id,
            w.Name,
            w.State switch
            {
                WorkerState.Idle => "idle",
                WorkerState.Busy => "busy",
                WorkerState.Stuck => "stuck",
                _ => "stopped",
            },
            w.Kind,
            w.Origin,
            Ms(w.Elapsed),
            w.TraceId == default(ActivityTraceId) ? null : w.TraceId.ToString(),
            w.Completed,
            w.Failed,
            Math.Round(w.BusyTime.TotalSeconds, 6));
    }

    private static double? Ms(TimeSpan? time) => time is { } t ? Math.Round(t.TotalMilliseconds, 3) : null;
}

[JsonSerializable(typeof(WorkersView))]
internal sealed partial class WorkersJson : JsonSerializerContext
{
    public static WorkersJson Readable { get; } = new(ReadableJson.NewOptions());
}
