namespace CallbackSample;

/// <summary>The hosts that may be called, separated by ';'. A service that calls any address gives its clients access to its own network.</summary>
internal sealed class AllowedHosts(string hosts) : IEndpointFilter
{
    private readonly string[] _hosts = hosts.Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);

    public ValueTask<object?> InvokeAsync(EndpointFilterInvocationContext context, EndpointFilterDelegate next)
    {
        string? callback = context.HttpContext.Request.Query["callback"];
        return callback is null || IsAllowed(callback)
            ? next(context)
            : ValueTask.FromResult<object?>(TypedResults.Problem($"callback must be an http or https address of: {string.Join(", ", _hosts)}.", statusCode: 400));
    }

    private bool IsAllowed(string callback) =>
        Uri.TryCreate(callback, UriKind.Absolute, out Uri? url) && url.Scheme is "http" or "https" && _hosts.Contains(url.Host, StringComparer.OrdinalIgnoreCase);
}
