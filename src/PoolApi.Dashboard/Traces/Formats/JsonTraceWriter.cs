using System.Text.Json;

namespace PoolApi.Dashboard.Traces.Formats;

/// <summary>Writes trace events as JSON, which Perfetto, chrome://tracing and Speedscope open. Times are in microseconds there.</summary>
/// <param name="json">The destination. The caller owns it.</param>
internal sealed class JsonTraceWriter(Utf8JsonWriter json) : ITraceWriter
{
    public long Pending => json.BytesPending;

    public void Begin(in TraceHeader header)
    {
        json.WriteStartObject();
        json.WriteString("displayTimeUnit", "ms");
        json.WriteStartObject("otherData");
        json.WriteString("from", header.From);
        json.WriteString("to", header.To);
        json.WriteNumber("originUnixMs", header.Origin);
        foreach ((string pool, int count) in header.Overwritten) json.WriteNumber($"overwritten in {pool}", count);
        json.WriteEndObject();
        json.WriteStartArray("traceEvents");
    }

    public void Name(int process, int? track, string name, int order)
    {
        string what = track is null ? "process" : "thread";
        BeginMeta($"{what}_name");
        json.WriteString("name", name);
        EndMeta();
        BeginMeta($"{what}_sort_index");
        json.WriteNumber("sort_index", order);
        EndMeta();

        void BeginMeta(string kind)
        {
            json.WriteStartObject();
            json.WriteString("ph", "M");
            json.WriteNumber("pid", process);
            json.WriteNumber("tid", track ?? 0);
            json.WriteString("name", kind);
            json.WriteStartObject("args");
        }

        void EndMeta()
        {
            json.WriteEndObject();
            json.WriteEndObject();
        }
    }

    public void Slice(in TraceSlice slice, params ReadOnlySpan<TraceArgument> arguments)
    {
        BeginEvent("X", slice.Process, slice.Track, slice.Start, slice.Name);
        json.WriteNumber("dur", slice.Duration / 1000m);
        if (!arguments.IsEmpty) Arguments(arguments);
        json.WriteEndObject();
        if (slice.FlowFrom != 0) Flow("s", slice, slice.FlowFrom);
        if (slice.FlowTo != 0) Flow("f", slice, slice.FlowTo);
    }

    public void Instant(int process, int track, long at, string name, params ReadOnlySpan<TraceArgument> arguments)
    {
        BeginEvent("i", process, track, at, name);
        json.WriteString("s", "g");
        Arguments(arguments);
        json.WriteEndObject();
    }

    public void Counter(int process, long at, string name, params ReadOnlySpan<(string Line, long Value)> values)
    {
        BeginEvent("C", process, 0, at, name);
        json.WriteStartObject("args");
        foreach ((string line, long value) in values) json.WriteNumber(line, value);
        json.WriteEndObject();
        json.WriteEndObject();
    }

    public void End()
    {
        json.WriteEndArray();
        json.WriteEndObject();
    }

    public void Flush() => json.Flush();

    public Task FlushAsync(CancellationToken cancellationToken) => json.FlushAsync(cancellationToken);

    private void Flow(string phase, in TraceSlice slice, long id)
    {
        BeginEvent(phase, slice.Process, slice.Track, slice.Start, "queue");
        json.WriteString("cat", "queue");
        if (phase == "f") json.WriteString("bp", "e");
        json.WriteNumber("id", id);
        json.WriteEndObject();
    }

    private void BeginEvent(string phase, int process, int track, long at, string name)
    {
        json.WriteStartObject();
        json.WriteString("ph", phase);
        json.WriteNumber("pid", process);
        json.WriteNumber("tid", track);
        json.WriteNumber("ts", at / 1000m);
        json.WriteString("name", name);
    }

    private void Arguments(ReadOnlySpan<TraceArgument> arguments)
    {
        json.WriteStartObject("args");
        foreach (TraceArgument argument in arguments)
        {
            if (argument.Text is { } text) json.WriteString(argument.Name, text);
            else if (argument.Truth is { } truth) json.WriteBoolean(argument.Name, truth);
            else json.WriteNumber(argument.Name, argument.Number);
        }
        json.WriteEndObject();
    }
}
