using Microsoft.AspNetCore.Http;
using PoolApi.AspNetCore;
using PoolApi.AspNetCore.Endpoints;

namespace Microsoft.AspNetCore.Builder;

/// <summary>Runs a branch of an app's middleware on a fixed thread pool.</summary>
public static class FixedThreadPoolMiddleware
{
    /// <summary>
    /// Runs the rest of the pipeline on a pool for all requests under a path: the middleware that is added after this call, and the endpoints.
    /// The request is admitted and its body is read before it is queued. Everything else runs on the worker.
    /// </summary>
    /// <remarks>
    /// Inside <c>app.Map("/legacy", …)</c> the path is relative to the branch, and <c>"/"</c> matches all of its requests. A request enters one
    /// pool only: an endpoint under the path that has <c>RunOnPool</c> runs on this pool.
    /// <para>A hub, a gRPC service and other endpoints that are a connection stay off the pool, if routing comes before this call. The log reports it once for
    /// each. If routing comes after it, their requests fail.</para>
    /// </remarks>
    /// <param name="app">The app, or a branch of it.</param>
    /// <param name="path">The path, such as <c>/legacy</c>, as <c>PathString.StartsWithSegments</c> compares it.</param>
    /// <param name="pool">The pool's name. Default: the pool that was added first.</param>
    /// <param name="configure">Sets the options of the requests under the path.</param>
    /// <returns>The app.</returns>
    /// <exception cref="ArgumentException">The path does not start with a slash, or an option is out of its range.</exception>
    public static IApplicationBuilder UseFixedThreadPool(
        this IApplicationBuilder app, string path, string? pool = null, Action<RunOnPoolOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(app);
        ArgumentNullException.ThrowIfNull(path);
        if (!path.StartsWith('/')) throw new ArgumentException($"The path must start with a slash, such as \"/legacy\"; it is \"{path}\".", nameof(path));
        var options = new RunOnPoolOptions();
        configure?.Invoke(options);
        options.Validate();
        PathString prefix = path.TrimEnd('/'); // "/" becomes the empty prefix, which matches every path
        return app.Use(rest =>
        {
            PoolEndpoint branch = PoolEndpoint.ForBranch(app.ApplicationServices, path, pool, configure, rest);
            var connections = new BranchConnections(app.ApplicationServices, path);
            return context => !context.Request.Path.StartsWithSegments(prefix, StringComparison.OrdinalIgnoreCase) || connections.Contains(context.GetEndpoint())
                ? rest(context)
                : PoolRequest.ServeAsync(branch, context);
        });
    }
}
