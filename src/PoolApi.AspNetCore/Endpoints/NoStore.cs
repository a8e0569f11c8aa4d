using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.OutputCaching;

namespace PoolApi.AspNetCore.Endpoints;

/// <summary>Marks a response as not cacheable, and overrides what filters, attributes and middleware have set for the response that it replaces.</summary>
internal sealed class NoStore
{
    // The headers that control caches or validate a client's copy.
    private static readonly string[] CacheHeaders = ["ETag", "Expires", "Last-Modified", "CDN-Cache-Control", "Surrogate-Control"];

    // The headers that describe a body, beside its length and type.
    private static readonly string[] BodyHeaders = ["Content-Encoding", "Content-Disposition", "Content-Location", "Content-Range", "Accept-Ranges"];

    private static readonly NoStore Errors = new();
    private static readonly NoStore Always = new();

    /// <summary>Replaces the headers, and disables the app's output cache for this response.</summary>
    /// <param name="context">The request.</param>
    /// <param name="anyStatus">
    /// Whether the headers are also replaced if the response starts with a status below 400. If <see langword="false"/>, middleware that sets such a status has
    /// replaced the response, and its headers stay.
    /// </param>
    public static void Set(HttpContext context, bool anyStatus = false)
    {
        context.Features.Set(anyStatus ? Always : Errors);
        SetHeaders(context.Response);
        // Filters may have set headers for another body.
        context.Response.ContentLength = null;
        context.Response.ContentType = null;
        foreach (string header in BodyHeaders) context.Response.Headers.Remove(header);
        KeepOut(context);
    }

    /// <summary>Disables the app's output cache for this response, which may have begun.</summary>
    public static void KeepOut(HttpContext context)
    {
        if (context.Features.Get<IOutputCacheFeature>() is { } cache) cache.Context.AllowCacheStorage = false;
    }

    /// <summary>Aborts a response that is cut off. To the app's output cache it would look complete.</summary>
    public static void Abort(HttpContext context)
    {
        KeepOut(context);
        context.Abort();
    }

    /// <summary>Replaces the headers when the response starts, after all middleware that sets headers then.</summary>
    public static void Confirm(HttpContext context)
    {
        if (context.Features.Get<NoStore>() is { } mark && (mark == Always || context.Response.StatusCode >= StatusCodes.Status400BadRequest)) SetHeaders(context.Response);
    }

    private static void SetHeaders(HttpResponse response)
    {
        response.Headers.CacheControl = "no-store";
        foreach (string header in CacheHeaders) response.Headers.Remove(header);
    }
}
