namespace PoolApi.Jobs;

/// <summary>The result of a job.</summary>
/// <param name="Status">A number that the executor defines, such as the HTTP status of a response.</param>
/// <param name="ContentType">The body's media type, if it has one.</param>
/// <param name="Body">The body.</param>
internal sealed record JobResult(int Status, string? ContentType, ReadOnlyMemory<byte> Body);
