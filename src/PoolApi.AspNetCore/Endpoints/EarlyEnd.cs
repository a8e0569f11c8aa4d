using System.Reflection;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.OutputCaching;
using Microsoft.AspNetCore.ResponseCaching;

namespace PoolApi.AspNetCore.Endpoints;

/// <summary>Completes a response whose request stays open, because code still uses its context.</summary>
/// <remarks>
/// The framework's caches put a body of their own around the server's. It passes every byte on at once, but its completion does not complete the server's,
/// so that is completed here. Bodies of other middleware may still hold bytes, so this does not complete them.
/// </remarks>
internal static class EarlyEnd
{
    private static readonly Assembly OutputCache = typeof(IOutputCacheFeature).Assembly;
    private static readonly Assembly ResponseCache = typeof(ResponseCachingMiddleware).Assembly;

    /// <summary>Completes the response of a request.</summary>
    public static Task CompleteAsync(HttpContext context) => CompleteAsync(context.Features.GetRequiredFeature<IHttpResponseBodyFeature>());

    /// <summary>Completes a body, and those that caches have wrapped in it.</summary>
    public static async Task CompleteAsync(IHttpResponseBodyFeature body)
    {
        await body.CompleteAsync();
        IHttpResponseBodyFeature? next = body is HandlerResponse handlers ? handlers.ServerBody : body;
        while (next is StreamResponseBodyFeature { PriorFeature: { } inner } && IsCaches(next.Stream))
        {
            await inner.CompleteAsync();
            next = inner;
        }
    }

    private static bool IsCaches(Stream stream)
    {
        Assembly assembly = stream.GetType().Assembly;
        return assembly == OutputCache || assembly == ResponseCache;
    }
}
