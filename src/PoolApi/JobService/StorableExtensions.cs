using PoolApi.JobRoutes;
using PoolApi.Requests;

namespace PoolApi.JobService;

/// <summary>Says of an endpoint that its requests may be stored, and run later as jobs. Nothing secret is in them.</summary>
internal sealed class StorableMetadata
{
    public static StorableMetadata Instance { get; } = new();
}

/// <summary>Lets an endpoint's requests become jobs.</summary>
internal static class StorableExtensions
{
    /// <summary>
    /// Call after <c>RefuseInvalid</c> and before <c>RunOnPool</c>: what is wrong is refused before it is stored, and what is
    /// stored does not run now.
    /// </summary>
    public static RouteHandlerBuilder Storable(this RouteHandlerBuilder builder)
    {
        builder.Finally(AddJobParameters);
        return builder
            .WithMetadata(StorableMetadata.Instance)
            .AddOpenApiOperationTransformer(StorableDocs.DescribeAsync)
            .AddEndpointFilter(static (invocation, next) => invocation.HttpContext.Features.Get<JobIntake>() is { } intake
                ? intake.AcceptAsync()
                : next(invocation));
    }

    /// <summary>Behind the endpoint's own. Without a store there are no jobs, and these parameters are unknown.</summary>
    private static void AddJobParameters(EndpointBuilder endpoint)
    {
        if (endpoint.ApplicationServices.GetService<JobSettings>() is null) return;
        foreach (string name in JobParameters.QueryNames) endpoint.Metadata.Add(new QueryParameterMetadata(name));
    }
}
