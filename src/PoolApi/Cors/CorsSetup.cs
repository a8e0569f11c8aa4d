using Microsoft.Net.Http.Headers;
using PoolApi.Management;

namespace PoolApi.Cors;

/// <summary>Lets web pages of the configured origins call the API. The management routes are never opened to another origin.</summary>
internal static class CorsSetup
{
    // How long a browser may cache the response to a preflight. The allowed origins change at a restart only.
    private static readonly TimeSpan PreflightMaxAge = TimeSpan.FromHours(1);

    private static readonly string[] Methods = [HttpMethods.Get, HttpMethods.Head, HttpMethods.Post, HttpMethods.Delete];

    /// <summary>The headers that a script may read, beside those that it may always read.</summary>
    private static readonly string[] ExposedHeaders =
    [
        HeaderNames.AcceptEncoding, HeaderNames.Allow, HeaderNames.ContentLocation, HeaderNames.ETag, HeaderNames.Location,
        "Preference-Applied", HeaderNames.RetryAfter, "Server-Timing", HeaderNames.WWWAuthenticate,
    ];

    public static void AddCorsPolicy(this IServiceCollection services, CorsSettings settings)
    {
        if (settings.Origins.Count == 0) return;
        services.AddCors(options => options.AddDefaultPolicy(policy =>
        {
            if (settings.IsForAll) policy.AllowAnyOrigin();
            else policy.WithOrigins([.. settings.Origins]);
            // Any header: the routes check those that they read, and tracing libraries add their own. No credentials: a script sets the
            // key in a header, and there are no cookies.
            policy.AllowAnyHeader().WithMethods(Methods).WithExposedHeaders(ExposedHeaders).SetPreflightMaxAge(PreflightMaxAge);
        }));
    }

    /// <summary>In front of the check of keys: a preflight has no key, and a script must be able to read a refusal.</summary>
    public static void UseCorsPolicy(this WebApplication app, CorsSettings settings)
    {
        if (settings.Origins.Count == 0) return;
        Listeners listeners = app.Services.GetRequiredService<Listeners>();
        app.UseWhen(context => !IsManagement(context, listeners), static api => api.UseCors());
    }

    private static bool IsManagement(HttpContext context, Listeners listeners) =>
        context.GetEndpoint()?.Metadata.GetMetadata<ListenerMetadata>()?.Kind == ListenerKind.Management
        || listeners.KindOf(context) == ListenerKind.Management;
}
