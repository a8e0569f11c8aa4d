namespace PoolApi.Jobs;

/// <summary>What a job came to.</summary>
/// <param name="Status">A number of the executor's, such as the HTTP status of an answer.</param>
/// <param name="ContentType">The body's media type, if it has one.</param>
/// <param name="Body">The body.</param>
internal sealed record JobResult(int Status, string? ContentType, ReadOnlyMemory<byte> Body);
