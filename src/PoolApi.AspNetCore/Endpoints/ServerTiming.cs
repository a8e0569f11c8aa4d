using System.Globalization;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.OutputCaching;
using Microsoft.AspNetCore.ResponseCaching;

namespace PoolApi.AspNetCore.Endpoints;

/// <summary>Adds the header with the request's queue time, run time and worker (W3C Server-Timing).</summary>
internal static class ServerTiming
{
    private const string Name = "Server-Timing";

    /// <summary>Adds the header for an endpoint that writes its response on the worker, before the response starts.</summary>
    public static void Announce(PoolRequest request, PoolOptions options)
    {
        if (options.ServerTiming) request.Context.Response.OnStarting(static request => AppendQueueAsync((PoolRequest)request), request);
    }

    /// <summary>Adds the header when the work has ended and the response is about to be written.</summary>
    /// <returns>Whether the response refers to the request until it starts.</returns>
    public static bool Set(PoolRequest request, PoolContext pool)
    {
        HttpContext context = request.Context;
        if (!pool.Options.ServerTiming || context.Response.HasStarted) return false;
        if (!IsUnderCache(context))
        {
            Append(request, pool.ServerTimings);
            return false;
        }
        context.Response.OnStarting(
            static state =>
            {
                var (request, values) = ((PoolRequest, ServerTimingValues))state;
                Append(request, values);
                return Task.CompletedTask;
            },
            (request, pool.ServerTimings));
        return true;
    }

    /// <summary>
    /// Whether one of the framework's caches may store the response. A cache copies the headers before the server starts the response, so that a header that
    /// is added at the start is sent and not stored.
    /// </summary>
    /// <remarks>A cache that stores the response has put a stream of its own before the body. The server's own body, which is the common case, is found quickly.</remarks>
    private static bool IsUnderCache(HttpContext context) =>
        !ReferenceEquals(context.Features.Get<IHttpResponseBodyFeature>(), context.Features)
        && (context.Features.Get<IOutputCacheFeature>() is not null || context.Features.Get<IResponseCachingFeature>() is not null);

    private static Task AppendQueueAsync(PoolRequest request)
    {
        // No worker has run a refused request.
        if (request.WorkerName is { } worker)
        {
            var (ms, fraction) = ServerTimingValues.Milliseconds(request.QueueTime);
            request.Context.Response.Headers.Append(
                Name, string.Create(CultureInfo.InvariantCulture, $"queue;dur={ms}.{fraction:D3}, worker;desc=\"{worker}\""));
        }
        return Task.CompletedTask;
    }

    private static void Append(PoolRequest request, ServerTimingValues values)
    {
        IHeaderDictionary headers = request.Context.Response.Headers;
        string value = values.Get(request.QueueTime, request.RunTime, request.WorkerName);
        // Append looks for an earlier value, which costs as much as to set the new one. Most responses have no header yet.
        if (headers.Count == 0) headers[Name] = value;
        else headers.Append(Name, value);
    }
}
