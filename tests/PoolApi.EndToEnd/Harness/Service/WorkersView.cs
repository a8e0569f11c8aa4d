using System.Text.Json;

namespace PoolApi.EndToEnd.Harness.Service;

/// <summary>What /v1/workers reports about the service's only pool.</summary>
internal sealed record WorkersView(
    string State, string Pool, int QueueLength, int Capacity, long QueueBytes, int Suspended, IReadOnlyList<WorkerView> Workers)
{
    /// <summary>How many workers run an item, stuck workers included.</summary>
    public int Busy => Workers.Count(worker => worker.State is "busy" or "stuck");

    /// <summary>Whether nothing runs and nothing waits.</summary>
    public bool AllIdle => QueueLength == 0 && Suspended == 0 && Workers.All(worker => worker.State == "idle");

    /// <summary>Reads the answer.</summary>
    public static WorkersView Read(Answer answer)
    {
        var json = answer.Json();
        var pool = Assert.Single(json.GetProperty("pools").EnumerateArray());
        var queue = pool.GetProperty("queue");
        return new WorkersView(
            json.GetProperty("state").GetString()!,
            pool.GetProperty("name").GetString()!,
            queue.GetProperty("length").GetInt32(),
            queue.GetProperty("capacity").GetInt32(),
            queue.GetProperty("bytes").GetInt64(),
            pool.GetProperty("suspended").GetInt32(),
            [.. pool.GetProperty("workers").EnumerateArray().Select(WorkerView.Read)]);
    }

    /// <inheritdoc />
    public override string ToString()
    {
        string workers = string.Join(' ', Workers.Select(w => $"{w.Name}={w.State}"));
        return $"{State}, queue {QueueLength}/{Capacity} ({QueueBytes} B), suspended {Suspended}, {workers}";
    }
}

/// <summary>One worker in that view.</summary>
internal sealed record WorkerView(int Id, string Name, string State, long Completed, long Failed, double BusySeconds, JsonElement Json)
{
    /// <summary>Reads one worker.</summary>
    public static WorkerView Read(JsonElement json) => new(
        json.GetProperty("id").GetInt32(),
        json.GetProperty("name").GetString()!,
        json.GetProperty("state").GetString()!,
        json.GetProperty("completed").GetInt64(),
        json.GetProperty("failed").GetInt64(),
        json.GetProperty("busySeconds").GetDouble(),
        json);
}
