namespace PoolApi.Jobs.AspNetCore.Intake;

/// <summary>A stored request: the HTTP form of a job's payload, which is opaque to the dispatcher and the stores.</summary>
/// <remarks>
/// The texts of the payload are, by position: method, path, query, content type, metadata. Stores have had columns of these names since
/// their first schema, so instances of earlier versions read what this one writes, and the reverse.
/// </remarks>
/// <param name="Method">The HTTP method.</param>
/// <param name="Path">The path, such as <c>/v1/thumbnails</c>.</param>
/// <param name="Query">The query string with its <c>?</c>, or empty.</param>
/// <param name="ContentType">The body's media type, if it had one.</param>
/// <param name="Body">The body.</param>
/// <param name="Metadata">The text of <see cref="StoredMetadata"/>.</param>
internal sealed record StoredRequest(string Method, string Path, string Query, string? ContentType, ReadOnlyMemory<byte> Body, string? Metadata)
{
    /// <summary>Reads what <see cref="ToPayload"/> has made.</summary>
    public static StoredRequest Of(JobPayload payload) => payload.Metadata is [var method, var path, var query, var contentType, var metadata]
        ? new(method ?? "", path ?? "", query ?? "", contentType, payload.Body, metadata)
        : throw new ArgumentException($"A payload has {JobPayload.MaxTexts} texts.", nameof(payload));

    public JobPayload ToPayload() => new(Body, Method, Path, Query, ContentType, Metadata);
}
