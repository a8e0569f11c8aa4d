using PoolApi.JobRoutes;
using PoolApi.Requests;

namespace PoolApi.JobService;

/// <summary>Says of an endpoint that its requests may be stored, and run later as jobs. Nothing secret is in them.</summary>
/// <param name="capture">What is kept of them beside the usual.</param>
internal sealed class StorableMetadata(RequestCapture capture)
{
    /// <summary>What the app and the endpoint say together.</summary>
    public static RequestCapture CaptureOf(HttpContext context)
    {
        var all = new RequestCapture();
        if (context.RequestServices.GetService<StorableOptions>() is { } app) all.Add(app.Capture);
        foreach (StorableMetadata said in context.GetEndpoint()?.Metadata.GetOrderedMetadata<StorableMetadata>() ?? []) all.Add(said.Capture);
        return all;
    }

    private RequestCapture Capture => capture;
}

/// <summary>Lets an endpoint's requests become jobs.</summary>
internal static class StorableExtensions
{
    /// <summary>
    /// Call after <c>RefuseInvalid</c> and before <c>RunOnPool</c>: what is wrong is refused before it is stored, and what is
    /// stored does not run now.
    /// </summary>
    /// <param name="builder">The endpoint.</param>
    /// <param name="configure">How its requests are stored.</param>
    /// <exception cref="ArgumentException">Something is to be kept that must not be.</exception>
    public static RouteHandlerBuilder Storable(this RouteHandlerBuilder builder, Action<StorableOptions>? configure = null)
    {
        var options = new StorableOptions();
        configure?.Invoke(options);
        builder.Finally(AddJobParameters);
        return builder
            .WithMetadata(new StorableMetadata(options.Capture))
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
