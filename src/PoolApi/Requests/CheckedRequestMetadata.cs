namespace PoolApi.Requests;

/// <summary>Marks an endpoint whose requests <see cref="RequestChecks"/> checks.</summary>
internal sealed class CheckedRequestMetadata
{
    public static CheckedRequestMetadata Instance { get; } = new();
}
