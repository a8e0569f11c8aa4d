namespace PoolApi.Jobs.AspNetCore.Endpoints;

/// <summary>Says of an endpoint that its requests may become jobs.</summary>
/// <param name="kind">The kind of its jobs; <see langword="null"/>: the kind of its work.</param>
/// <param name="options">How they become jobs.</param>
internal sealed class AllowJobsMetadata(string? kind, AllowJobsOptions options)
{
    public string? Kind => kind;

    public AllowJobsOptions Options => options;

    /// <summary>What the app and the endpoint keep of a request, together.</summary>
    public static RequestCapture CaptureOf(Endpoint endpoint, JobsOptions app)
    {
        var all = new RequestCapture().Add(app.Capture);
        foreach (AllowJobsMetadata said in endpoint.Metadata.GetOrderedMetadata<AllowJobsMetadata>()) all.Add(said.Options.Capture);
        return all;
    }

    /// <summary>How many attempts a job of an endpoint has. What is said last counts.</summary>
    public static int AttemptsOf(Endpoint endpoint, JobsOptions app) =>
        endpoint.Metadata.GetOrderedMetadata<AllowJobsMetadata>().LastOrDefault(static said => said.Options.MaxAttempts is not null)?.Options.MaxAttempts
        ?? app.MaxAttempts;

    /// <summary>The kind of an endpoint's jobs. What is said last counts.</summary>
    public static string? KindOf(Endpoint endpoint) =>
        endpoint.Metadata.GetOrderedMetadata<AllowJobsMetadata>().LastOrDefault(static said => said.Kind is not null)?.Kind;
}
