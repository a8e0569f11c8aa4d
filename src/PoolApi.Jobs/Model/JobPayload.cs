namespace PoolApi.Jobs;

/// <summary>The request that is to be run: what of it can be stored.</summary>
/// <param name="Method">The HTTP method.</param>
/// <param name="Path">The path, such as <c>/v1/thumbnails</c>.</param>
/// <param name="Query">The query string with its <c>?</c>, or empty.</param>
/// <param name="ContentType">The body's media type, if it had one.</param>
/// <param name="Body">The body.</param>
/// <param name="Metadata">
/// What else the executor keeps of the request, as it likes: the store does not look into it. The first version kept the W3C traceparent and
/// nothing else, so the stores' column is named after it.
/// </param>
public sealed record JobPayload(string Method, string Path, string Query, string? ContentType, ReadOnlyMemory<byte> Body, string? Metadata);

/// <summary>The answer of a job that has run.</summary>
/// <param name="Status">The HTTP status.</param>
/// <param name="ContentType">The body's media type, if it has one.</param>
/// <param name="Body">The body.</param>
public sealed record JobResult(int Status, string? ContentType, ReadOnlyMemory<byte> Body);
