using Microsoft.AspNetCore.Http;
using PoolApi.AspNetCore;
using PoolApi.AspNetCore.Endpoints;

namespace Microsoft.AspNetCore.Builder;

/// <summary>Puts a part of an app's middleware on a fixed thread pool.</summary>
public static class FixedThreadPoolMiddleware
{
    /// <summary>
    /// Runs the rest of the pipeline on a pool for all requests under a path: middleware that is added after this, and the endpoints. As for
    /// an endpoint that is a plain <see cref="RequestDelegate"/>, the request is admitted and its body is read before the queue, and
    /// everything else runs on the worker.
    /// </summary>
    /// <remarks>
    /// Inside of <c>app.Map("/legacy", …)</c> the path is the rest of it, and <c>"/"</c> means every request of that branch. An endpoint
    /// under the path that has <c>RunOnPool</c> runs where the rest of the pipeline runs: a request enters one pool, and only once.
    /// </remarks>
    /// <param name="app">The app, or a branch of it.</param>
    /// <param name="path">The path, such as <c>/legacy</c>, as <c>PathString.StartsWithSegments</c> compares it.</param>
    /// <param name="pool">The pool's name; the first that was added if not given.</param>
    /// <param name="configure">What the requests ask of the pool.</param>
    /// <returns>The app.</returns>
    /// <exception cref="ArgumentException">The path does not start with a slash, or an option is out of its range.</exception>
    public static IApplicationBuilder UseFixedThreadPool(
        this IApplicationBuilder app, string path, string? pool = null, Action<RunOnPoolOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(app);
        ArgumentNullException.ThrowIfNull(path);
        if (!path.StartsWith('/')) throw new ArgumentException($"The path may be a path that starts with a slash, such as \"/legacy\"; it is \"{path}\".", nameof(path));
        var options = new RunOnPoolOptions();
        configure?.Invoke(options);
        options.Validate();
        PathString prefix = path.TrimEnd('/'); // "/" is before everything
        return app.Use(rest =>
        {
            PoolEndpoint branch = PoolEndpoint.ForBranch(app.ApplicationServices, path, pool, configure, rest);
            return context => context.Request.Path.StartsWithSegments(prefix, StringComparison.OrdinalIgnoreCase)
                ? PoolRequest.ServeAsync(branch, context)
                : rest(context);
        });
    }
}
