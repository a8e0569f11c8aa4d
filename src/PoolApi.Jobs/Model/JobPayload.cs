namespace PoolApi.Jobs;

/// <summary>The work of a job: opaque bytes and some metadata strings. Only the executor interprets them. Immutable.</summary>
internal sealed class JobPayload
{
    /// <summary>The most metadata strings that a payload can have.</summary>
    public const int MaxTexts = 5;

    private readonly string?[] _metadata;

    /// <summary>Creates a payload.</summary>
    /// <param name="body">The bytes. The caller must not change them afterwards.</param>
    /// <param name="metadata">
    /// Up to <see cref="MaxTexts"/> strings, identified by their position. A <see langword="null"/> among the first three may come back from the
    /// store as an empty string.
    /// </param>
    public JobPayload(ReadOnlyMemory<byte> body, params ReadOnlySpan<string?> metadata)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(metadata.Length, MaxTexts);
        _metadata = new string?[MaxTexts];
        metadata.CopyTo(_metadata);
        Body = body;
    }

    private JobPayload(ReadOnlyMemory<byte> body, string?[] metadata) => (Body, _metadata) = (body, metadata);

    /// <summary>The bytes.</summary>
    public ReadOnlyMemory<byte> Body { get; }

    /// <summary>The metadata strings: always <see cref="MaxTexts"/> of them, <see langword="null"/> where none was given.</summary>
    public IReadOnlyList<string?> Metadata => _metadata;

    /// <summary>The same metadata with another body.</summary>
    public JobPayload WithBody(ReadOnlyMemory<byte> body) => new(body, _metadata);
}
