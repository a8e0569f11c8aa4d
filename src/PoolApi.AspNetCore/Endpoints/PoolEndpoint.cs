using System.Reflection;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc.Abstractions;
using Microsoft.AspNetCore.Mvc.Controllers;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using PoolApi.AspNetCore.Overload;
using PoolApi.AspNetCore.Shutdown;
using PoolApi.Threading;

namespace PoolApi.AspNetCore.Endpoints;

/// <summary>
/// One endpoint that runs on a pool: what its author said of it, and what is known of it once it is built. In the endpoint's metadata;
/// resolved against the app's services at the first request.
/// </summary>
/// <remarks>
/// <code>
///   conventions: Configure, RunOff (the last says)  ──►  Build: the delegates  ──►  requests
/// </code>
/// </remarks>
internal sealed class PoolEndpoint
{
    private readonly Lazy<Services> _services;
    private IServiceProvider? _app;

    public PoolEndpoint() => _services = new Lazy<Services>(() => new Services(this, _app!));

    /// <summary>The pool's name; <see langword="null"/>: the first that was added.</summary>
    public string? PoolName { get; private set; }

    public RunOnPoolOptions Options { get; } = new();

    /// <summary>Whether the endpoint was taken off the pool again, as one of a group.</summary>
    public bool IsOff { get; private set; }

    public string Kind { get; private set; } = "work";

    public string? Route { get; private set; }

    /// <summary>The endpoint's own delegate: binds, comes back by the filter, writes; or, without a handler, all of it.</summary>
    public RequestDelegate Handler { get; private set; } = null!;

    /// <summary>Whether endpoint filters stand in front of a handler, so that it alone runs on the pool.</summary>
    public bool HasHandler { get; private set; }

    /// <summary>Whether the handler is a controller's action.</summary>
    public bool IsAction { get; private set; }

    /// <summary>Whether the handler returns no task, and nothing asynchronous stands between it and the pool.</summary>
    public bool IsSynchronous { get; private set; }

    /// <summary>What each request says to the pool.</summary>
    public SubmitOptions Submission { get; private set; }

    public AppPool Pool => _services.Value.Pool;

    public RequestGate Gate => _services.Value.Gate;

    public ShutdownCoordinator Shutdown => _services.Value.Shutdown;

    /// <summary>What the endpoint has learned of its clients; <see langword="null"/>: it is switched off.</summary>
    public OverloadControl? Overload => _services.Value.Overload;

    /// <summary>How long its requests may wait, or infinite.</summary>
    public TimeSpan MaxQueueTime => Options.MaxQueueTime is { } own && (own < Pool.MaxQueueTime || Pool.MaxQueueTime == Timeout.InfiniteTimeSpan)
        ? own
        : Pool.MaxQueueTime;

    /// <summary>How long the work of its requests may run, or infinite.</summary>
    public TimeSpan MaxRunTime => Options.MaxRunTime is { } own && (own < Pool.MaxRunTime || Pool.MaxRunTime == Timeout.InfiniteTimeSpan)
        ? own
        : Pool.MaxRunTime;

    public bool LimitsRunTime => MaxRunTime != Timeout.InfiniteTimeSpan;

    /// <summary>The author names a pool, or nothing but options; the last to name one wins.</summary>
    public void Configure(string? pool, Action<RunOnPoolOptions>? configure)
    {
        PoolName = pool;
        IsOff = false;
        configure?.Invoke(Options);
    }

    public void RunOff() => IsOff = true;

    /// <summary>The filter in front of the handler: there the request enters the pool. Innermost, unless others were added after it.</summary>
    public EndpointFilterDelegate Filter(EndpointFilterDelegate next, bool isInnermost, MethodInfo method)
    {
        if (IsOff) return next;
        IsSynchronous = isInnermost && !Options.ExecuteResult && !Awaitable.Is(method.ReturnType);
        return invocation =>
        {
            HttpContext context = invocation.HttpContext;
            // What a minimal API could not bind is refused behind the filters, without calling the handler: no reason to queue for that.
            // (A controller's action would be called, whatever the status is.)
            if (!IsAction && context.Response.StatusCode == StatusCodes.Status400BadRequest) return next(invocation);
            PoolRequest request = context.Features.Get<PoolRequest>()
                ?? throw new InvalidOperationException("The endpoint was not invoked through routing.");
            return request.RunAsync(next, invocation);
        };
    }

    /// <summary>The endpoint is complete: its delegate is replaced by the way through the stages.</summary>
    /// <exception cref="InvalidOperationException">It cannot run on a pool, or there is none.</exception>
    public void Build(EndpointBuilder endpoint)
    {
        _app = endpoint.ApplicationServices;
        Route = (endpoint as RouteEndpointBuilder)?.RoutePattern.RawText;
        ActionDescriptor? action = endpoint.Metadata.OfType<ActionDescriptor>().LastOrDefault();
        Kind = Options.Kind ?? KindOf(action, Route);
        ThrowIfNoPool(endpoint);
        UnsupportedEndpoint.ThrowIfAny(endpoint);
        Handler = endpoint.RequestDelegate
            ?? throw new InvalidOperationException($"RunOnPool needs an endpoint with a handler; '{endpoint.DisplayName}' has none.");
        HasHandler = CanFilter(endpoint);
        IsAction = action is ControllerActionDescriptor;
        Submission = new SubmitOptions { Priority = Options.Priority, MaxQueueTime = Options.MaxQueueTime, MaxRunTime = Options.MaxRunTime };
        endpoint.RequestDelegate = context => PoolRequest.ServeAsync(this, context);
    }

    /// <summary>A minimal API's handler or a controller's action: something that endpoint filters stand in front of.</summary>
    public static bool CanFilter(EndpointBuilder endpoint) =>
        endpoint.Metadata.Any(static m => m is MethodInfo or ControllerActionDescriptor);

    public static MethodInfo MethodOf(EndpointBuilder endpoint) =>
        endpoint.Metadata.OfType<ControllerActionDescriptor>().LastOrDefault()?.MethodInfo ?? endpoint.Metadata.OfType<MethodInfo>().Last();

    /// <summary>Asks for the registration, not for the pool, which is made when the host starts, after the settings were found right.</summary>
    private void ThrowIfNoPool(EndpointBuilder endpoint)
    {
        string[] names = [.. endpoint.ApplicationServices.GetServices<PoolRegistration>().Select(static r => r.Name)];
        if (PoolName is null ? names.Length > 0 : names.Contains(PoolName, StringComparer.Ordinal)) return;
        throw new InvalidOperationException(
            $"The endpoint '{endpoint.DisplayName}' runs on {(PoolName is null ? "a pool, and there is none" : $"the pool '{PoolName}', which does not exist")}: "
            + $"call services.AddFixedThreadPool({(PoolName is null ? "" : $"\"{PoolName}\"")}). The pools are: {(names.Length == 0 ? "none" : string.Join(", ", names))}.");
    }

    /// <summary><c>/v1/diagnostics/sleep</c> is of the kind <c>diagnostics/sleep</c>; a conventional route says nothing, its action does.</summary>
    private static string KindOf(ActionDescriptor? action, string? route)
    {
        if (action is ControllerActionDescriptor { AttributeRouteInfo: null } conventional)
            return $"{conventional.ControllerName}/{conventional.ActionName}".ToLowerInvariant();
        string kind = (route ?? "").Trim('/');
        int slash = kind.IndexOf('/', StringComparison.Ordinal);
        bool versioned = slash > 1 && kind[0] == 'v' && kind.AsSpan(1, slash - 1).IndexOfAnyExceptInRange('0', '9') < 0;
        if (versioned) kind = kind[(slash + 1)..];
        return kind.Length == 0 ? "work" : kind;
    }

    private sealed class Services
    {
        public Services(PoolEndpoint endpoint, IServiceProvider services)
        {
            Pool = services.GetRequiredService<AppPools>().Get(endpoint.PoolName);
            Overload = Pool.NewOverloadControl();
            Gate = services.GetRequiredService<RequestGate>();
            Shutdown = services.GetRequiredService<ShutdownCoordinator>();
        }

        public AppPool Pool { get; }

        public OverloadControl? Overload { get; }

        public RequestGate Gate { get; }

        public ShutdownCoordinator Shutdown { get; }
    }
}
