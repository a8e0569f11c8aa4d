namespace PoolApi.Dashboard.Traces.Formats;

/// <summary>Writes the events of a trace in a file format. Times are in nanoseconds since the trace's origin.</summary>
/// <remarks>A process or a track is named before its first event. The slices of one track follow each other or nest, and come in any order.</remarks>
internal interface ITraceWriter
{
    /// <summary>The number of bytes that are written but not flushed.</summary>
    long Pending { get; }

    /// <summary>Writes what precedes all events.</summary>
    void Begin(in TraceHeader header);

    /// <summary>Names a process, or one of its tracks, and sets its sort order.</summary>
    void Name(int process, int? track, string name, int order);

    /// <summary>Writes a slice.</summary>
    void Slice(in TraceSlice slice, params ReadOnlySpan<TraceArgument> arguments);

    /// <summary>Writes a moment.</summary>
    void Instant(int process, int track, long at, string name, params ReadOnlySpan<TraceArgument> arguments);

    /// <summary>Writes a point of each line of a counter.</summary>
    void Counter(int process, long at, string name, params ReadOnlySpan<(string Line, long Value)> values);

    /// <summary>Writes what follows all events.</summary>
    void End();

    /// <summary>Writes the pending bytes to the stream.</summary>
    void Flush();

    /// <inheritdoc cref="Flush"/>
    Task FlushAsync(CancellationToken cancellationToken);
}

/// <summary>The header of a trace: its time range, its origin, and how many records are missing.</summary>
/// <param name="From">The start of the requested time.</param>
/// <param name="To">When the trace was made.</param>
/// <param name="Origin">The trace's origin, in milliseconds since 1970.</param>
/// <param name="Overwritten">The number of overwritten records of each pool, by its name.</param>
internal readonly record struct TraceHeader(DateTimeOffset From, DateTimeOffset To, double Origin, IReadOnlyList<(string Pool, int Count)> Overwritten);

/// <summary>A time that something took on a track.</summary>
/// <param name="Process">The process.</param>
/// <param name="Track">The track.</param>
/// <param name="Start">The start.</param>
/// <param name="Duration">The length.</param>
/// <param name="Name">The name.</param>
/// <param name="FlowFrom">The flow that starts here; 0: none.</param>
/// <param name="FlowTo">The flow that ends here; 0: none.</param>
internal readonly record struct TraceSlice(int Process, int Track, long Start, long Duration, string Name, long FlowFrom = 0, long FlowTo = 0);

/// <summary>A detail of an event: a text that may come often, a text of its own, a number, or true or false.</summary>
internal readonly record struct TraceArgument
{
    public required string Name { get; init; }

    /// <summary>The text; <see langword="null"/>: it is a number or true or false.</summary>
    public string? Text { get; private init; }

    /// <summary>Whether each event has another text.</summary>
    public bool IsUnique { get; private init; }

    public double Number { get; private init; }

    public bool? Truth { get; private init; }

    public static TraceArgument Of(string name, string text, bool isUnique = false) => new() { Name = name, Text = text, IsUnique = isUnique };

    public static TraceArgument Of(string name, double number) => new() { Name = name, Number = number };

    public static TraceArgument Of(string name, bool truth) => new() { Name = name, Truth = truth };
}
