namespace PoolApi.Requests;

/// <summary>Says of an endpoint that <see cref="RequestChecks"/> looks at its requests.</summary>
internal sealed class CheckedRequestMetadata
{
    public static CheckedRequestMetadata Instance { get; } = new();
}
