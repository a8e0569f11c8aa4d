namespace PoolApi.Jobs.AspNetCore.Endpoints;

/// <summary>Marks an endpoint whose requests may become jobs.</summary>
/// <param name="kind">The kind of its jobs; <see langword="null"/>: the kind of its work.</param>
/// <param name="options">How they become jobs.</param>
internal sealed class AllowJobsMetadata(string? kind, AllowJobsOptions options)
{
    public string? Kind => kind;

    public AllowJobsOptions Options => options;

    /// <summary>What the app and the endpoint together store of a request.</summary>
    public static RequestCapture CaptureOf(Endpoint endpoint, JobsOptions app)
    {
        var all = new RequestCapture().Add(app.Capture);
        foreach (AllowJobsMetadata metadata in endpoint.Metadata.GetOrderedMetadata<AllowJobsMetadata>()) all.Add(metadata.Options.Capture);
        return all;
    }

    /// <summary>How many attempts a job of an endpoint has. The value that was set last counts.</summary>
    public static int AttemptsOf(Endpoint endpoint, JobsOptions app) =>
        endpoint.Metadata.GetOrderedMetadata<AllowJobsMetadata>().LastOrDefault(static metadata => metadata.Options.MaxAttempts is not null)?.Options.MaxAttempts
        ?? app.MaxAttempts;

    /// <summary>The kind of an endpoint's jobs. The value that was set last counts.</summary>
    public static string? KindOf(Endpoint endpoint) =>
        endpoint.Metadata.GetOrderedMetadata<AllowJobsMetadata>().LastOrDefault(static metadata => metadata.Kind is not null)?.Kind;
}
