using System.Globalization;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.OutputCaching;
using Microsoft.AspNetCore.ResponseCaching;

namespace PoolApi.AspNetCore.Endpoints;

/// <summary>The header that tells the client how long its request waited and ran, and on which worker (W3C Server-Timing).</summary>
internal static class ServerTiming
{
    private const string Name = "Server-Timing";

    /// <summary>For an endpoint that writes its own response on the worker: the header must be there before it starts.</summary>
    public static void Announce(PoolRequest request, PoolOptions options)
    {
        if (options.ServerTiming) request.Context.Response.OnStarting(static request => AppendQueueAsync((PoolRequest)request), request);
    }

    /// <summary>The request's work has ended; its answer is about to be written.</summary>
    public static void Set(PoolRequest request, PoolOptions options)
    {
        HttpContext context = request.Context;
        if (!options.ServerTiming || context.Response.HasStarted) return;
        if (IsUnderCache(context)) context.Response.OnStarting(static request => AppendAsync((PoolRequest)request), request);
        else Append(request);
    }

    /// <summary>
    /// Whether one of the framework's caches may store the answer. It copies the headers before the server starts the response, so that
    /// what is added then is sent and not stored.
    /// </summary>
    private static bool IsUnderCache(HttpContext context) =>
        context.Features.Get<IOutputCacheFeature>() is not null || context.Features.Get<IResponseCachingFeature>() is not null;

    private static Task AppendQueueAsync(PoolRequest request)
    {
        // A refusal is written by nobody's worker.
        if (request.WorkerName is { } worker)
        {
            var (ms, fraction) = Milliseconds(request.QueueTime);
            request.Context.Response.Headers.Append(
                Name, string.Create(CultureInfo.InvariantCulture, $"queue;dur={ms}.{fraction:000}, worker;desc=\"{worker}\""));
        }
        return Task.CompletedTask;
    }

    private static Task AppendAsync(PoolRequest request)
    {
        Append(request);
        return Task.CompletedTask;
    }

    private static void Append(PoolRequest request)
    {
        var (queueMs, queueFraction) = Milliseconds(request.QueueTime);
        var (runMs, runFraction) = Milliseconds(request.RunTime);
        request.Context.Response.Headers.Append(Name, string.Create(
            CultureInfo.InvariantCulture,
            $"queue;dur={queueMs}.{queueFraction:000}, run;dur={runMs}.{runFraction:000}, worker;desc=\"{request.WorkerName}\""));
    }

    /// <summary>In whole numbers: to format a fraction costs several times as much, and this is done for every request.</summary>
    private static (long Ms, int Fraction) Milliseconds(TimeSpan time)
    {
        long microseconds = time.Ticks / TimeSpan.TicksPerMicrosecond;
        return (microseconds / 1000, (int)(microseconds % 1000));
    }
}
