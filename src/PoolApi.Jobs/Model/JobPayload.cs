namespace PoolApi.Jobs;

/// <summary>What a job is to run: bytes, and some texts beside them. Only the executor knows what they mean. Immutable.</summary>
internal sealed class JobPayload
{
    /// <summary>How many texts there may be.</summary>
    public const int MaxTexts = 5;

    private readonly string?[] _metadata;

    /// <summary>Makes a payload.</summary>
    /// <param name="body">The bytes. They must stay as they are.</param>
    /// <param name="metadata">
    /// Up to <see cref="MaxTexts"/> texts, by their place. A <see langword="null"/> among the first three may come back from the store as
    /// an empty text.
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

    /// <summary>The texts: always <see cref="MaxTexts"/>, with <see langword="null"/> where nothing was given.</summary>
    public IReadOnlyList<string?> Metadata => _metadata;

    /// <summary>The same texts with other bytes.</summary>
    public JobPayload WithBody(ReadOnlyMemory<byte> body) => new(body, _metadata);
}
