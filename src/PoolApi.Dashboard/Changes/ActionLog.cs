using System.Text.Json;
using PoolApi.Dashboard.Streams;

namespace PoolApi.Dashboard.Changes;

/// <summary>The last hundred changes that were made with the dashboard of this instance. Thread-safe.</summary>
internal sealed class ActionLog(TimeProvider time) : IFeedPart
{
    public const int Capacity = 100;

    private readonly Lock _lock = new();
    private readonly Queue<Entry> _entries = new();
    private long _version;

    public long Version => Volatile.Read(ref _version);

    public void Add(HttpContext context, string what, string outcome)
    {
        var entry = new Entry(time.GetUtcNow().ToUnixTimeMilliseconds(), context.User.Identity?.Name ?? context.Connection.RemoteIpAddress?.ToString(), what, outcome);
        lock (_lock)
        {
            _entries.Enqueue(entry);
            if (_entries.Count > Capacity) _entries.Dequeue();
            _version++;
        }
    }

    /// <summary>Writes the changes, newest first.</summary>
    public void Write(Utf8JsonWriter json)
    {
        Entry[] all;
        lock (_lock) all = [.. _entries];
        json.WriteStartArray("actions");
        for (int i = all.Length - 1; i >= 0; i--)
        {
            json.WriteStartObject();
            json.WriteNumber("at", all[i].At);
            json.WriteMaybe("by", all[i].By);
            json.WriteString("what", all[i].What);
            json.WriteString("outcome", all[i].Outcome);
            json.WriteEndObject();
        }
        json.WriteEndArray();
    }

    private sealed record Entry(long At, string? By, string What, string Outcome);
}
