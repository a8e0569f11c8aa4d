using System.Diagnostics;
using System.Text.Json;
using PoolApi.Dashboard.History;
using PoolApi.Threading;

namespace PoolApi.Dashboard.Streams;

/// <summary>The state of a worker that the page shows beside its strip.</summary>
internal sealed record WorkerRow(
    int Id, string Name, string State, bool IsStandIn, string? Kind, string? Route, double? Since, ActivityTraceId TraceId, string? Activity, Guid? Job)
{
    /// <summary>
    /// The largest difference, in ms, between two computed start times of one item. The offset between the two clocks varies a little.
    /// </summary>
    private const double SameMs = 50;

    public static WorkerRow Of(WorkerSnapshot worker, double now, bool isStandIn, WorkerActivityView? activity, Guid? job, WorkerRow? before)
    {
        string state = worker.State switch
        {
            WorkerState.Idle => "idle",
            WorkerState.Busy => "busy",
            WorkerState.Stuck => "stuck",
            _ => "stopped",
        };
        double? since = worker.Elapsed is { } elapsed ? Math.Round(now - elapsed.TotalMilliseconds) : null;
        if (since is { } s && before?.Since is { } b && Math.Abs(s - b) < SameMs && before.TraceId == worker.TraceId) since = b;
        string? doing = since is null ? null : activity?.Activity switch
        {
            WorkerActivity.Computing => "computes",
            WorkerActivity.WaitingForProcessor => "waits",
            WorkerActivity.Blocked => "blocked",
            _ => null,
        };
        return new WorkerRow(worker.Id, worker.Name, state, isStandIn, worker.Kind, worker.Origin, since, worker.TraceId, doing, job);
    }

    public void Write(Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteNumber("id", Id);
        json.WriteString("name", Name);
        json.WriteString("state", State);
        json.WriteBoolean("standIn", IsStandIn);
        json.WriteMaybe("kind", Kind);
        json.WriteMaybe("route", Route);
        if (Since is { } since) json.WriteNumber("since", since);
        else json.WriteNull("since");
        json.WriteMaybe("trace", TraceId == default ? null : TraceId.ToHexString());
        json.WriteMaybe("activity", Activity);
        json.WriteMaybe("job", Job?.ToString("D"));
        json.WriteEndObject();
    }
}
