namespace PoolApi.Jobs.AspNetCore.Responses;

/// <summary>The path of the list of jobs: where <c>MapJobs</c> has put it, below the prefixes of all groups.</summary>
internal sealed class JobsPath
{
    private readonly Lazy<string> _path;

    /// <param name="endpoints">The app's endpoints. They are read on first use, when all of them are mapped.</param>
    public JobsPath(IEnumerable<EndpointDataSource> endpoints) => _path = new(() =>
    {
        RouteEndpoint[] lists = [.. endpoints.SelectMany(static e => e.Endpoints).OfType<RouteEndpoint>()
            .Where(static e => e.Metadata.GetMetadata<ListMetadata>() is not null)];
        if (lists.Length == 0) throw new InvalidOperationException("There are jobs, and no routes to find them by: call app.MapJobs().");
        if (lists.Length > 1) throw new InvalidOperationException("MapJobs() is called more than once: a job has one path.");
        if (lists[0].RoutePattern.Parameters.Count > 0)
        {
            throw new InvalidOperationException(
                $"The jobs are mapped under '{lists[0].RoutePattern.RawText}': the prefix must have no route parameters, since a job has one path.");
        }
        return "/" + string.Join('/', lists[0].RoutePattern.PathSegments.SelectMany(static s => s.Parts).OfType<Microsoft.AspNetCore.Routing.Patterns.RoutePatternLiteralPart>().Select(static p => p.Content));
    });

    /// <summary>The path, without a slash at its end.</summary>
    /// <exception cref="InvalidOperationException">There is none, or more than one.</exception>
    public string Value => _path.Value;

    public static string Of(HttpContext context) => context.RequestServices.GetRequiredService<JobsPath>().Value;

    /// <summary>Marks the list's endpoint.</summary>
    public sealed class ListMetadata;
}
