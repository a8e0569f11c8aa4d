namespace PoolApi.Server;

/// <summary>The headers of every response that restrict a browser: no guessing of the type, no Referer to other sites, no frames.</summary>
/// <remarks>An endpoint's own Referrer-Policy and Content-Security-Policy are kept, such as those of the pages.</remarks>
internal static class SecurityHeaders
{
    public const string ReferrerPolicyName = "Referrer-Policy";

    // For responses that are no page: a browser that shows it loads nothing and runs nothing.
    private const string NoPage = "default-src 'none'; frame-ancestors 'none'";

    /// <summary>Before everything that answers.</summary>
    public static void UseSecurityHeaders(this WebApplication app) => app.Use(static rest => context =>
    {
        // The headers are added when the response starts, because the exception handler removes earlier headers.
        context.Response.OnStarting(Add, context.Response);
        return rest(context);
    });

    private static Task Add(object response)
    {
        IHeaderDictionary headers = ((HttpResponse)response).Headers;
        headers.XContentTypeOptions = "nosniff";
        headers.TryAdd(ReferrerPolicyName, "no-referrer");
        if (headers.ContentSecurityPolicy.Count == 0) headers.ContentSecurityPolicy = NoPage;
        return Task.CompletedTask;
    }
}
