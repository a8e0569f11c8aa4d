using System.Text.Json;

namespace PoolApi.Dashboard.Tests.Recording;

/// <summary>Trace events as a viewer reads them. Fails on events that no viewer could show.</summary>
internal sealed partial class DecodedTrace
{
    private readonly Dictionary<(int Process, int Track), string> _tracks = [];
    private readonly Dictionary<int, string> _processes = [];

    private DecodedTrace(JsonElement root)
    {
        Assert.Equal("ms", root.GetProperty("displayTimeUnit").GetString());
        Origin = root.GetProperty("otherData").GetProperty("originUnixMs").GetDouble();
        To = root.GetProperty("otherData").GetProperty("to").GetDateTimeOffset();
        foreach (JsonElement e in root.GetProperty("traceEvents").EnumerateArray()) Add(e);
        Check();
    }

    /// <summary>The time 0 of the trace, in milliseconds since 1970.</summary>
    public double Origin { get; private set; }

    public DateTimeOffset To { get; private set; }

    public List<Slice> Slices { get; } = [];

    public List<Flow> Starts { get; } = [];

    public List<Flow> Ends { get; } = [];

    public List<(string Name, decimal At, string Reason)> Instants { get; } = [];

    public List<(string Name, decimal At, Dictionary<string, long> Values)> Counters { get; } = [];

    /// <summary>The time at which the trace was made, in microseconds from its time 0.</summary>
    public decimal End => (decimal)((To - DateTimeOffset.UnixEpoch).TotalMilliseconds - Origin) * 1000;

    private void Check()
    {
        Assert.All(Slices, s => Assert.True(_tracks.ContainsKey((s.Process, s.Track)), $"track {s.Track} of {s.Process} has no name"));
        SlicesNest();
        FlowsPair();
    }

    public static DecodedTrace Of(byte[] json)
    {
        using JsonDocument document = JsonDocument.Parse(json);
        return new DecodedTrace(document.RootElement);
    }

    public static DecodedTrace OfGzip(byte[] compressed)
    {
        using var gzip = new System.IO.Compression.GZipStream(new MemoryStream(compressed), System.IO.Compression.CompressionMode.Decompress);
        using var json = new MemoryStream();
        gzip.CopyTo(json);
        return Of(json.ToArray());
    }

    public IEnumerable<Slice> On(string track) => Slices.Where(s => _tracks[(s.Process, s.Track)] == track);

    /// <summary>The names of a slice's process and track.</summary>
    public string TrackOf(Slice slice) => $"{_processes[slice.Process]}/{_tracks[(slice.Process, slice.Track)]}";

    private void Add(JsonElement e)
    {
        int process = e.GetProperty("pid").GetInt32();
        int track = e.GetProperty("tid").GetInt32();
        string name = e.GetProperty("name").GetString()!;
        string phase = e.GetProperty("ph").GetString()!;
        if (phase == "M")
        {
            if (name == "process_name") _processes.Add(process, e.GetProperty("args").GetProperty("name").GetString()!);
            if (name == "thread_name") _tracks.Add((process, track), e.GetProperty("args").GetProperty("name").GetString()!);
            return;
        }
        decimal at = e.GetProperty("ts").GetDecimal();
        Assert.True(at >= 0, $"{name} is before the trace");
        Assert.True(_processes.ContainsKey(process), $"process {process} has no name");
        switch (phase)
        {
            case "X":
                decimal length = e.GetProperty("dur").GetDecimal();
                Assert.True(length >= 0, $"{name} lasts {length}");
                Slices.Add(new Slice(process, track, name, at, at + length, e.TryGetProperty("args", out JsonElement args)
                    ? args.EnumerateObject().ToDictionary(static a => a.Name, static a => a.Value.ToString())
                    : []));
                break;
            case "s" or "f":
                (phase == "s" ? Starts : Ends).Add(new Flow(e.GetProperty("id").GetInt64(), process, track, at));
                Assert.Equal("queue", e.GetProperty("cat").GetString());
                if (phase == "f") Assert.Equal("e", e.GetProperty("bp").GetString());
                break;
            case "i":
                Assert.Equal("g", e.GetProperty("s").GetString());
                Instants.Add((name, at, e.GetProperty("args").GetProperty("reason").GetString()!));
                break;
            case "C":
                Counters.Add((name, at, e.GetProperty("args").EnumerateObject().ToDictionary(static a => a.Name, static a => a.Value.GetInt64())));
                break;
            default:
                Assert.Fail($"phase {phase}");
                break;
        }
    }

    private void SlicesNest()
    {
        foreach (IGrouping<(int, int), Slice> track in Slices.GroupBy(static s => (s.Process, s.Track)))
        {
            var open = new Stack<Slice>();
            foreach (Slice slice in track.OrderBy(static s => s.From).ThenByDescending(static s => s.To))
            {
                while (open.TryPeek(out Slice? outer) && outer.To <= slice.From) open.Pop();
                Assert.True(!open.TryPeek(out Slice? around) || slice.To <= around.To, $"{slice} overlaps {around}");
                open.Push(slice);
            }
        }
    }

    /// <summary>Each flow starts once and ends once, not before its start, and both points lie in a slice.</summary>
    private void FlowsPair()
    {
        Dictionary<long, Flow> ends = Ends.ToDictionary(static f => f.Id);
        Assert.Equal(Starts.Count, ends.Count);
        ILookup<(int, int), Slice> slices = Slices.ToLookup(static s => (s.Process, s.Track));
        foreach (Flow start in Starts)
        {
            Flow end = ends[start.Id];
            Assert.True(start.At <= end.At);
            foreach (Flow one in new[] { start, end })
                Assert.Contains(slices[(one.Process, one.Track)], s => s.From <= one.At && one.At <= s.To);
        }
    }

    internal sealed record Slice(int Process, int Track, string Name, decimal From, decimal To, Dictionary<string, string> Args)
    {
        public override string ToString() => $"{Name} {From}–{To}";
    }

    internal sealed record Flow(long Id, int Process, int Track, decimal At);
}
