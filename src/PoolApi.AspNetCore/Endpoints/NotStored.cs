using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.OutputCaching;

namespace PoolApi.AspNetCore.Endpoints;

/// <summary>Marks a response that no cache may keep, whatever filters, attributes and middleware say of the answer that it replaces.</summary>
internal sealed class NotStored
{
    // Those that a cache obeys, or with which a client asks again whether its copy is still good.
    private static readonly string[] CacheHeaders = ["ETag", "Expires", "Last-Modified", "CDN-Cache-Control", "Surrogate-Control"];

    private static readonly NotStored Mark = new();

    /// <summary>Replaces the headers, and tells the app's own output cache.</summary>
    public static void Set(HttpContext context)
    {
        context.Features.Set(Mark);
        SetHeaders(context.Response);
        // Filters may have described another body than the one that comes.
        context.Response.ContentLength = null;
        context.Response.ContentType = null;
        if (context.Features.Get<IOutputCacheFeature>() is { } cache) cache.Context.AllowCacheStorage = false;
    }

    /// <summary>As the response starts, after all middleware that sets headers then: the last word.</summary>
    public static void Confirm(HttpContext context)
    {
        if (context.Response.StatusCode >= StatusCodes.Status400BadRequest && context.Features.Get<NotStored>() is not null) SetHeaders(context.Response);
    }

    private static void SetHeaders(HttpResponse response)
    {
        response.Headers.CacheControl = "no-store";
        foreach (string header in CacheHeaders) response.Headers.Remove(header);
    }
}
