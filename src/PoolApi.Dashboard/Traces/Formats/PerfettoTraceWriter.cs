namespace PoolApi.Dashboard.Traces.Formats;

/// <summary>
/// Writes a trace in Perfetto's own format, a sequence of TracePacket messages (https://perfetto.dev/docs/reference/synthetic-track-event). It is a fraction of
/// the JSON. Texts that come often are written once, and events refer to them by number.
/// </summary>
internal sealed class PerfettoTraceWriter(Stream to) : ITraceWriter
{
    private const ulong Sequence = 1;
    private const ulong StateCleared = 1, NeedsState = 2;
    private const ulong ExplicitOrder = 3;

    private readonly ProtoMessage _pending = new();
    private readonly ProtoMessage _packet = new();
    private readonly ProtoMessage _event = new();
    private readonly ProtoMessage _inner = new();
    private readonly ProtoMessage _interned = new();
    private readonly ProtoMessage _entry = new();
    private readonly Dictionary<(int Field, string Text), ulong> _texts = [];
    private readonly Dictionary<(int Process, string Line), ulong> _counters = [];

    public long Pending => _pending.Length;

    public void Begin(in TraceHeader header)
    {
        _packet.Number(Packet.SequenceFlags, StateCleared);
        EndPacket();
        // The format has no field for the header, so the writer adds an event that has it.
        List<TraceArgument> arguments =
        [
            TraceArgument.Of("from", header.From.ToString("O")), TraceArgument.Of("to", header.To.ToString("O")), TraceArgument.Of("originUnixMs", header.Origin),
            .. header.Overwritten.Select(static o => TraceArgument.Of($"overwritten in {o.Pool}", o.Count)),
        ];
        Instant(0, null, 0, "trace", [.. arguments]);
    }

    public void Name(int process, int? track, string name, int order)
    {
        _inner.Clear();
        _event.Clear();
        _event.Number(Descriptor.Uuid, Uuid(process, track));
        if (track is null)
        {
            _inner.Number(Descriptor.Pid, (ulong)process);
            _inner.Text(Descriptor.ProcessName, name);
            _event.Message(Descriptor.Process, _inner);
            _event.Number(Descriptor.ChildOrdering, ExplicitOrder);
        }
        else
        {
            _event.Text(Descriptor.Name, name);
            _event.Number(Descriptor.ParentUuid, Uuid(process, null));
        }
        _event.Signed(Descriptor.SiblingOrderRank, order);
        _packet.Message(Packet.TrackDescriptor, _event);
        EndPacket();
    }

    public void Slice(in TraceSlice slice, params ReadOnlySpan<TraceArgument> arguments)
    {
        ulong track = Uuid(slice.Process, slice.Track);
        BeginEvent(Event.SliceBegin, track);
        _event.Number(Event.NameIid, Interned(InternedData.EventNames, slice.Name));
        if (slice.FlowFrom != 0) _event.Fixed(Event.FlowIds, (ulong)slice.FlowFrom);
        if (slice.FlowTo != 0) _event.Fixed(Event.TerminatingFlowIds, (ulong)slice.FlowTo);
        Arguments(arguments);
        EndEvent(slice.Start);
        BeginEvent(Event.SliceEnd, track);
        EndEvent(slice.Start + slice.Duration);
    }

    public void Instant(int process, int track, long at, string name, params ReadOnlySpan<TraceArgument> arguments) =>
        Instant(process, (int?)track, at, name, arguments);

    public void Counter(int process, long at, string name, params ReadOnlySpan<(string Line, long Value)> values)
    {
        foreach ((string line, long value) in values)
        {
            string full = $"{name}: {line}";
            if (!_counters.TryGetValue((process, full), out ulong track)) _counters.Add((process, full), track = NameCounter(process, full));
            BeginEvent(Event.CounterPoint, track);
            _event.Signed(Event.CounterValue, value);
            EndEvent(at);
        }
    }

    public void End()
    {
    }

    public void Flush()
    {
        to.Write(_pending.Span);
        _pending.Clear();
    }

    public async Task FlushAsync(CancellationToken cancellationToken)
    {
        await to.WriteAsync(_pending.Memory, cancellationToken).ConfigureAwait(false);
        _pending.Clear();
    }

    // Uuid 0 is the track of the header's event. The upper half of a uuid is the process. The lower half is 0 for the process itself,
    // from 1 up for its tracks, and from 0xC0000000 up for its counters.
    private static ulong Uuid(int process, int? track) => ((ulong)process << 32) | (uint)((track ?? -1) + 1);

    private ulong NameCounter(int process, string name)
    {
        ulong uuid = ((ulong)process << 32) | 0xC000_0000 | (uint)_counters.Count;
        _event.Clear();
        _event.Number(Descriptor.Uuid, uuid);
        _event.Text(Descriptor.Name, name);
        _event.Number(Descriptor.ParentUuid, Uuid(process, null));
        _inner.Clear();
        _event.Message(Descriptor.Counter, _inner); // an empty message marks the track as a counter
        _packet.Message(Packet.TrackDescriptor, _event);
        EndPacket();
        return uuid;
    }

    private void Instant(int process, int? track, long at, string name, ReadOnlySpan<TraceArgument> arguments)
    {
        BeginEvent(Event.Moment, Uuid(process, track));
        _event.Number(Event.NameIid, Interned(InternedData.EventNames, name));
        Arguments(arguments);
        EndEvent(at);
    }

    private void BeginEvent(ulong type, ulong track)
    {
        _event.Clear();
        _event.Number(Event.Type, type);
        _event.Number(Event.TrackUuid, track);
    }

    private void Arguments(ReadOnlySpan<TraceArgument> arguments)
    {
        foreach (TraceArgument argument in arguments)
        {
            _inner.Clear();
            _inner.Number(Annotation.NameIid, Interned(InternedData.ArgumentNames, argument.Name));
            if (argument.Text is null)
            {
                if (argument.Truth is { } truth) _inner.Number(Annotation.Bool, truth ? 1UL : 0);
                else _inner.Double(Annotation.Double, argument.Number);
            }
            else if (argument.IsUnique)
            {
                _inner.Text(Annotation.Text, argument.Text);
            }
            else
            {
                _inner.Number(Annotation.TextIid, Interned(InternedData.ArgumentTexts, argument.Text));
            }
            _event.Message(Event.Annotations, _inner);
        }
    }

    private void EndEvent(long at)
    {
        _packet.Number(Packet.Timestamp, (ulong)at);
        _packet.Number(Packet.SequenceFlags, NeedsState);
        // The packet that first refers to a text has the text.
        if (_interned.Length > 0) _packet.Message(Packet.Interned, _interned);
        _packet.Message(Packet.TrackEvent, _event);
        EndPacket();
    }

    private void EndPacket()
    {
        _packet.Number(Packet.SequenceId, Sequence);
        _pending.Message(Packet.OfTrace, _packet);
        _packet.Clear();
        _interned.Clear();
    }

    /// <summary>Returns the number of a text. A new text is put into the next packet.</summary>
    private ulong Interned(int field, string text)
    {
        if (_texts.TryGetValue((field, text), out ulong known)) return known;
        ulong id = (ulong)_texts.Count + 1;
        _texts.Add((field, text), id);
        _entry.Clear();
        _entry.Number(1, id);
        _entry.Text(2, text);
        _interned.Message(field, _entry);
        return id;
    }

    // The numbers of the fields, by protos/perfetto/trace in Perfetto's repository.
    private static class Packet
    {
        public const int OfTrace = 1, Timestamp = 8, SequenceId = 10, TrackEvent = 11, Interned = 12, SequenceFlags = 13, TrackDescriptor = 60;
    }

    private static class Descriptor
    {
        public const int Uuid = 1, Name = 2, Process = 3, ParentUuid = 5, Counter = 8, ChildOrdering = 11, SiblingOrderRank = 12;
        public const int Pid = 1, ProcessName = 6; // of the process in it
    }

    private static class Event
    {
        public const int Annotations = 4, Type = 9, NameIid = 10, TrackUuid = 11, CounterValue = 30, FlowIds = 47, TerminatingFlowIds = 48;
        public const ulong SliceBegin = 1, SliceEnd = 2, Moment = 3, CounterPoint = 4;
    }

    private static class Annotation
    {
        public const int NameIid = 1, Bool = 2, Double = 5, Text = 6, TextIid = 17;
    }

    private static class InternedData
    {
        public const int EventNames = 2, ArgumentNames = 3, ArgumentTexts = 29;
    }
}
