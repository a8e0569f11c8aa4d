using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Mvc.Abstractions;
using Microsoft.AspNetCore.Mvc.Controllers;
using Microsoft.AspNetCore.Mvc.Filters;
using Microsoft.AspNetCore.Mvc.RazorPages;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.ObjectPool;
using Microsoft.Extensions.Options;
using PoolApi.AspNetCore.Overload;
using PoolApi.AspNetCore.Settings;
using PoolApi.AspNetCore.Shutdown;
using PoolApi.Threading;

namespace PoolApi.AspNetCore.Endpoints;

/// <summary>
/// One endpoint that runs on a pool: the options that its author has set, and what is known when it is built. In the endpoint's metadata;
/// resolved against the app's services at the first request.
/// </summary>
/// <remarks>
/// <code>
///   conventions: Configure, RunOff (the last call wins)  ──►  Build: the delegates  ──►  requests
/// </code>
/// </remarks>
internal sealed partial class PoolEndpoint
{
    public const string ProblemMediaType = "application/problem+json";

    // The states of endpoints that are not recognized by their delegate. The metadata of each is searched once, and not at each request.
    private static readonly ConditionalWeakTable<Endpoint, StrongBox<PoolEndpoint?>> Searched = [];

    private readonly EndpointBuilder? _builder;
    private readonly Lazy<Services> _services;
    private IServiceProvider? _app;
    private bool _isHandlerSynchronous;
    private bool _isOutermost;
    private bool _isSequence;
    private bool _hasIntake;
    private bool _isComplete;

    /// <param name="builder">The endpoint; <see langword="null"/>: it is a branch of the pipeline.</param>
    public PoolEndpoint(EndpointBuilder? builder = null)
    {
        _builder = builder;
        // PublicationOnly does not cache an exception: a lack of memory at the first request does not fail the later ones.
        _services = new Lazy<Services>(() => new Services(this, _app!), LazyThreadSafetyMode.PublicationOnly);
    }

    /// <summary>The pool's name; <see langword="null"/>: the first that was added.</summary>
    public string? PoolName { get; private set; }

    public RunOnPoolOptions Options { get; } = new();

    /// <summary>Whether <c>RunOffPool</c> applies to the endpoint.</summary>
    public bool IsOff { get; private set; }

    public string Kind { get; private set; } = "work";

    public string? Route { get; private set; }

    /// <summary>Whether an endpoint filter of this library stands in front of its handler.</summary>
    public bool HasEndpointFilter { get; set; }

    /// <summary>The endpoint's name in messages.</summary>
    private string? Name { get; set; }

    /// <summary>The endpoint's own delegate: binds, calls the filter, writes; or, without a handler, the whole endpoint.</summary>
    public RequestDelegate Handler { get; private set; } = null!;

    /// <summary>Whether a filter stands in front of a handler, so that only the handler runs on the pool.</summary>
    public bool HasHandler { get; private set; }

    /// <summary>Whether that filter is MVC's own (<see cref="HandlerFilter"/>) instead of an endpoint filter.</summary>
    public bool HasMvcFilter { get; private set; }

    /// <summary>Whether the handler is a controller's action or a page's handler.</summary>
    public bool IsAction { get; private set; }

    /// <summary>Whether the handler returns no task, no filter is between it and the pool, and the pool does not execute the result.</summary>
    public bool IsSynchronous { get; private set; }

    /// <summary>
    /// Whether a request can end when its work has ended: the endpoint is the handler of a minimal API, no endpoint filter is around this
    /// library's, and the framework does not enumerate the result while it writes. A long response ends its request later.
    /// </summary>
    public bool FinishesWithWork { get; private set; }

    /// <summary>The cache of reusable requests; <see langword="null"/>: work may continue after its end, so each object is used once.</summary>
    public ObjectPool<PoolRequest>? RequestCache => _services.Value.RequestCache;

    /// <summary>The options of each request's work item.</summary>
    public WorkOptions Submission { get; private set; }

    public PoolContext Pool => _services.Value.Pool;

    public RequestGate Gate => _services.Value.Gate;

    public ShutdownCoordinator Shutdown => _services.Value.Shutdown;

    /// <summary>The endpoint's overload control; <see langword="null"/> if it is switched off.</summary>
    public OverloadControl? Overload => _services.Value.Overload;

    /// <summary>The longest time that its requests may be queued, or infinite.</summary>
    public TimeSpan MaxQueueTime => Shorter(Options.MaxQueueTime, Pool.MaxQueueTime);

    /// <summary>The longest time that the work of its requests may run, or infinite.</summary>
    public TimeSpan MaxRunTime => MaxRunTimeIn(Pool);

    private TimeSpan MaxRunTimeIn(PoolContext pool) => Shorter(Options.MaxRunTime, pool.MaxRunTime);

    public bool LimitsRunTime => _services.Value.LimitsRunTime;

    /// <summary>Applies a call of <c>RunOnPool</c>. The last call that names a pool wins; options add up.</summary>
    public void Configure(string? pool, Action<RunOnPoolOptions>? configure)
    {
        PoolName = pool ?? PoolName;
        IsOff = false;
        configure?.Invoke(Options);
    }

    /// <summary>Sets the pool that an attribute names.</summary>
    public void Configure(string pool) => PoolName = pool;

    public void RunOff() => IsOff = true;

    /// <summary>
    /// Builds the filter in front of the handler, by which the request enters the pool. It is innermost unless others were added after it, and outermost unless
    /// others were added before it.
    /// </summary>
    /// <remarks>
    /// MVC keeps one filter for an action: that of its endpoint which was built last. Several conventional routes may lead to the action, each with
    /// options of its own, and some of them off the pool. So the filter of an action takes each request by the endpoint that routing has selected.
    /// </remarks>
    public EndpointFilterDelegate Filter(EndpointFilterDelegate next, bool isInnermost, bool isOutermost, MethodInfo method, bool isAction)
    {
        if (IsOff && !isAction) return next;
        _isHandlerSynchronous = isInnermost && !Awaitable.Is(method.ReturnType);
        _isOutermost = isOutermost;
        _isSequence = StreamedResult.IsSequence(method.ReturnType);
        return invocation =>
        {
            HttpContext context = invocation.HttpContext;
            PoolEndpoint? endpoint = isAction ? OfRequest(context) : this;
            if (endpoint is null or { IsOff: true } or { HasMvcFilter: true }) return next(invocation); // off the pool, or it enters at MVC's own filter
            PoolRequest request = PoolRequest.Find(context)
                ?? throw new InvalidOperationException("The endpoint was not invoked through routing.");
            if (request.HasEnded) return PoolRequest.TooLate();
            if (!request.IsAtHandlerOf(endpoint)) return next(invocation);
            // Behind filters, the framework does not call a minimal API's handler if the response has an error's status: binding has failed,
            // so the request is not queued. (A controller's action is called with any status.)
            int status = context.Response.StatusCode;
            if (isAction || status < StatusCodes.Status400BadRequest) return endpoint.RunOrStoreAsync(request, next, invocation);
            return request.StatusBefore == status && !IsOfBinding(status) ? RunOrStoreAsync(request, WithoutStatus(next), invocation) : next(invocation);
        };
    }

    private ValueTask<object?> RunOrStoreAsync(PoolRequest request, EndpointFilterDelegate next, EndpointFilterInvocationContext invocation) =>
        _hasIntake && invocation.HttpContext.Features.Get<IRequestStoreFeature>() is { } store ? request.StoreAsync(store) : request.RunAsync(next, invocation);

    /// <summary>The statuses that the framework gives a response if binding fails.</summary>
    private static bool IsOfBinding(int status) => status is StatusCodes.Status400BadRequest or StatusCodes.Status408RequestTimeout
        or StatusCodes.Status413PayloadTooLarge or StatusCodes.Status415UnsupportedMediaType;

    /// <summary>Calls the handler of an error page: its response has the status of the request that has failed, and keeps it.</summary>
    private static EndpointFilterDelegate WithoutStatus(EndpointFilterDelegate next) => async invocation =>
    {
        HttpResponse response = invocation.HttpContext.Response;
        int status = response.StatusCode;
        response.StatusCode = StatusCodes.Status200OK;
        object? result = await next(invocation);
        if (response.StatusCode == StatusCodes.Status200OK) response.StatusCode = status;
        return result;
    };

    /// <summary>The last convention: builds the endpoint, unless <c>RunOffPool</c> applies to it.</summary>
    /// <exception cref="InvalidOperationException">It cannot run on a pool, or there is none.</exception>
    public static void Complete(EndpointBuilder endpoint)
    {
        if (Find(endpoint) is not { } poolEndpoint) return;
        // The app may copy the metadata of another endpoint. A request must find the state of its own.
        for (int i = endpoint.Metadata.Count - 1; i >= 0; i--)
        {
            if (endpoint.Metadata[i] is PoolEndpoint other && other != poolEndpoint) endpoint.Metadata.RemoveAt(i);
        }
        // The convention runs once for each call of RunOnPool. The first time is enough.
        if (poolEndpoint.IsOff || poolEndpoint._isComplete) return;
        poolEndpoint._isComplete = true;
        poolEndpoint.ApplyAttributes(endpoint);
        poolEndpoint.Build(endpoint);
        foreach (int status in poolEndpoint.Problems(endpoint.ApplicationServices)) endpoint.Metadata.Add(new ProducesResponseTypeMetadata(status, typeof(ProblemDetails), [ProblemMediaType]));
        endpoint.Metadata.Add(new RunOnPoolMetadata(poolEndpoint.PoolName, poolEndpoint.Kind));
        var stored = new StoredRequestDelegates(
            poolEndpoint.Kind, context => PoolRequest.StoreAsync(poolEndpoint, context), context => PoolRequest.RunStoredAsync(poolEndpoint, context));
        endpoint.Metadata.Add(stored);
        poolEndpoint.PutIntake(endpoint, stored);
    }

    /// <summary>Finds the state that conventions have set for an endpoint so far. Metadata copied from another endpoint has that endpoint's state.</summary>
    public static PoolEndpoint? Find(EndpointBuilder endpoint) => endpoint.Metadata.OfType<PoolEndpoint>().FirstOrDefault(p => p._builder == endpoint);

    /// <summary>Finds the state of a built endpoint among its metadata, which may also have the state of other endpoints.</summary>
    /// <returns><see langword="null"/>: no <c>RunOnPool()</c> or <c>RunOffPool()</c> applies to the endpoint.</returns>
    public static PoolEndpoint? Find(Endpoint endpoint)
    {
        PoolEndpoint? last = endpoint.Metadata.GetMetadata<PoolEndpoint>();
        return last is null || last.HasDelegateOf(endpoint) ? last : Searched.GetValue(endpoint, Search).Value;

        static StrongBox<PoolEndpoint?> Search(Endpoint endpoint) =>
            new(endpoint.Metadata.GetOrderedMetadata<PoolEndpoint>().LastOrDefault(p => p.HasDelegateOf(endpoint) || p.IsOf(endpoint.Metadata, endpoint.DisplayName)));
    }

    /// <summary>
    /// Finds the state of the endpoint that routing has selected. An endpoint without a state of its own may be a copy of another endpoint, with
    /// the state of that one.
    /// </summary>
    public static PoolEndpoint? OfRequest(HttpContext context) =>
        context.GetEndpoint() is { } endpoint ? Find(endpoint) ?? endpoint.Metadata.GetMetadata<PoolEndpoint>() : null;

    /// <summary>Whether the metadata of an endpoint has its own state, and not only that of other endpoints.</summary>
    public static bool HasOwn(IEnumerable<object> metadata, string? name) => metadata.OfType<PoolEndpoint>().Any(p => p.IsOf(metadata, name));

    /// <summary>Whether the delegate of the endpoint is this one's own. The delegate of an endpoint off the pool may be that of several endpoints.</summary>
    private bool HasDelegateOf(Endpoint endpoint) => _builder is not null && !IsOff && ReferenceEquals(_builder.RequestDelegate, endpoint.RequestDelegate);

    /// <summary>
    /// Whether this is the state of the endpoint with this metadata, or of the endpoint that a data source has copied it from. Their actions or handlers are
    /// compared. If one of the two has neither, their names are compared.
    /// </summary>
    private bool IsOf(IEnumerable<object> metadata, string? name)
    {
        if (_builder is null) return false;
        return TargetOf(_builder.Metadata) is { } own && TargetOf(metadata) is { } other ? own.Equals(other) : name is not null && name == _builder.DisplayName;

        static object? TargetOf(IEnumerable<object> all) => all.OfType<ActionDescriptor>().LastOrDefault() ?? (object?)all.OfType<MethodInfo>().LastOrDefault();
    }

    /// <summary>Creates the endpoint for a branch of the pipeline under a path.</summary>
    /// <exception cref="InvalidOperationException">There is no such pool.</exception>
    public static PoolEndpoint ForBranch(
        IServiceProvider services, string path, string? pool, Action<RunOnPoolOptions>? configure, RequestDelegate rest)
    {
        var branch = new PoolEndpoint();
        branch.Configure(pool, configure);
        branch.Name = $"UseFixedThreadPool(\"{path}\")";
        branch.Attach(services, action: null, route: path);
        branch.Handler = rest;
        // The pools are created before the pipeline.
        branch.Pool.Admission.DeclareLabels(branch.Kind);
        return branch;
    }

    /// <summary>Applies the attributes. They take precedence over conventions, and an action's over its controller's.</summary>
    /// <exception cref="InvalidOperationException">An option of an attribute is out of its range.</exception>
    public void ApplyAttributes(EndpointBuilder endpoint)
    {
        foreach (RunOnPoolAttribute attribute in endpoint.Metadata.OfType<RunOnPoolAttribute>()) attribute.Apply(this, endpoint.DisplayName);
    }

    /// <summary>The shorter of the endpoint's limit and the pool's, which may be infinite.</summary>
    private static TimeSpan Shorter(TimeSpan? own, TimeSpan pool) => own is { } limit && (limit < pool || pool == Timeout.InfiniteTimeSpan) ? limit : pool;

    /// <summary>Replaces the delegate of the complete endpoint with the one that runs the stages.</summary>
    /// <exception cref="InvalidOperationException">It cannot run on a pool, or there is none.</exception>
    private void Build(EndpointBuilder endpoint)
    {
        Name = endpoint.DisplayName;
        ActionDescriptor? action = endpoint.Metadata.OfType<ActionDescriptor>().LastOrDefault();
        Attach(endpoint.ApplicationServices, action, (endpoint as RouteEndpointBuilder)?.RoutePattern.RawText);
        UnsupportedEndpoint.ThrowIfAny(endpoint);
        Handler = endpoint.RequestDelegate
            ?? throw new InvalidOperationException($"RunOnPool needs an endpoint with a handler; '{Name}' has none.");
        IsAction = action is ControllerActionDescriptor or CompiledPageActionDescriptor;
        // MVC executes the result after all of its filters. If the pool must execute the result, all of MVC runs on the pool.
        bool isWhole = IsAction && Options.ExecuteResult;
        HasMvcFilter = !isWhole && IsAction && !HasEndpointFilter;
        HasHandler = !isWhole && (HasMvcFilter || HasEndpointFilter);
        if (HasMvcFilter) _isHandlerSynchronous = PutFilter(action!);
        IsSynchronous = HasHandler && _isHandlerSynchronous && !Options.ExecuteResult;
        FinishesWithWork = HasHandler && !IsAction && _isOutermost && !_isSequence;
        endpoint.RequestDelegate = context => PoolRequest.ServeAsync(this, context);
    }

    /// <summary>Sets what all forms have: the pool, the kind, and the options of the work items.</summary>
    private void Attach(IServiceProvider services, ActionDescriptor? action, string? route)
    {
        _app = services;
        Route = RouteOf(action, route);
        Kind = Options.Kind ?? KindOf(action, route);
        ThrowIfNoPool(services, PoolName, $"The endpoint '{Name}'");
        Submission = new WorkOptions(priority: Options.Priority, maxQueueTime: Options.MaxQueueTime, maxRunTime: Options.MaxRunTime);
    }

    /// <summary>Adds the filter in front of the handler. The attribute itself already is that filter.</summary>
    /// <returns>Whether this filter is the innermost and no handler is asynchronous.</returns>
    private static bool PutFilter(ActionDescriptor action)
    {
        if (!action.FilterDescriptors.Any(static f => f.Filter is HandlerFilter or RunOnPoolAttribute))
            action.FilterDescriptors = [.. action.FilterDescriptors, new FilterDescriptor(HandlerFilter.Instance, FilterScope.Action)];
        bool isInnermost = action.FilterDescriptors.All(static f => f.Order < HandlerFilter.Innermost || f.Filter is HandlerFilter or RunOnPoolAttribute);
        return isInnermost && action switch
        {
            ControllerActionDescriptor { MethodInfo: { } method } => !Awaitable.Is(method.ReturnType),
            CompiledPageActionDescriptor page => page.HandlerMethods.All(static handler => !Awaitable.Is(handler.MethodInfo.ReturnType)),
            _ => false,
        };
    }

    /// <summary>Whether endpoint filters apply to the endpoint: a minimal API's handler or a controller's action.</summary>
    public static bool CanFilter(EndpointBuilder endpoint) =>
        endpoint.Metadata.Any(static m => m is MethodInfo or ControllerActionDescriptor);

    public static bool IsActionOf(EndpointBuilder endpoint) => endpoint.Metadata.Any(static m => m is ControllerActionDescriptor);

    public static MethodInfo MethodOf(EndpointBuilder endpoint) =>
        endpoint.Metadata.OfType<ControllerActionDescriptor>().LastOrDefault()?.MethodInfo ?? endpoint.Metadata.OfType<MethodInfo>().Last();

    /// <summary>Puts the intake, which may store requests, in front of the endpoint.</summary>
    private void PutIntake(EndpointBuilder endpoint, StoredRequestDelegates stored)
    {
        if (endpoint.Metadata.OfType<IRequestIntake>().LastOrDefault() is not { } intake) return;
        if (!HasEndpointFilter) throw new InvalidOperationException($"The requests of '{Name}' cannot be stored: it is no handler of a minimal API.");
        _hasIntake = true;
        RequestDelegate serve = endpoint.RequestDelegate!;
        endpoint.RequestDelegate = context => intake.TryTake(context, stored) ?? serve(context);
    }

    /// <summary>Checks that a pool is registered. It does not resolve the pool, which is created when the host starts, after the settings are validated.</summary>
    /// <param name="services">The app's services.</param>
    /// <param name="pool">The pool's name; <see langword="null"/>: the first that was added.</param>
    /// <param name="subject">What runs there, for the message.</param>
    /// <exception cref="InvalidOperationException">There is no such pool.</exception>
    public static void ThrowIfNoPool(IServiceProvider services, string? pool, string subject)
    {
        string[] names = [.. services.GetServices<PoolRegistration>().Select(static r => r.Name)];
        if (pool is null ? names.Length > 0 : names.Contains(pool, StringComparer.Ordinal)) return;
        throw NoPool(pool, subject, names);
    }

    /// <summary>
    /// Checks that there can be a pool, where no services are known yet. An app adds its pools before it is built, and maps its endpoints after that.
    /// </summary>
    /// <exception cref="InvalidOperationException">No app of this process has added a pool.</exception>
    public static void ThrowIfNoPoolAnywhere(string? pool, string subject)
    {
        if (!PoolRegistration.IsAny) throw NoPool(pool, subject, []);
    }

    private static InvalidOperationException NoPool(string? pool, string subject, string[] names) => new(
        $"{subject} runs on {(pool is null ? "a pool, and there is none" : $"the pool '{pool}', which does not exist")}: "
        + $"call services.AddFixedThreadPool({(pool is null ? "" : $"\"{pool}\"")}). "
        + $"The pools are: {(names.Length == 0 ? "none" : string.Join(", ", names))}.");

    /// <summary>
    /// The route's template. All actions share that of a conventional route, so there the names of area, controller and action replace their parameters.
    /// </summary>
    private static string? RouteOf(ActionDescriptor? action, string? template)
    {
        if (template is null || action is not ControllerActionDescriptor { AttributeRouteInfo: null }) return template;
        return Parameter().Replace(
            template, match => action.RouteValues.TryGetValue(match.Groups[1].Value, out string? name) && !string.IsNullOrEmpty(name) ? name : match.Value);
    }

    /// <summary>A parameter of a template with its name, such as <c>{controller=Home}</c>. Doubled braces belong to a constraint.</summary>
    [GeneratedRegex(@"\{(\w+)(?:[^{}]|\{\{|\}\})*\}", RegexOptions.None, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Parameter();

    /// <summary>
    /// Derives the kind from the route: <c>/v1/diagnostics/sleep</c> becomes <c>diagnostics/sleep</c>. A conventional route uses area, controller and action.
    /// </summary>
    private static string KindOf(ActionDescriptor? action, string? route)
    {
        if (action is ControllerActionDescriptor { AttributeRouteInfo: null } conventional)
        {
            string name = $"{conventional.ControllerName}/{conventional.ActionName}";
            if (conventional.RouteValues.TryGetValue("area", out string? area) && !string.IsNullOrEmpty(area)) name = $"{area}/{name}";
            return name.ToLowerInvariant();
        }
        string kind = (route ?? "").Trim('/');
        int slash = kind.IndexOf('/', StringComparison.Ordinal);
        bool versioned = slash > 1 && kind[0] == 'v' && kind.AsSpan(1, slash - 1).IndexOfAnyExceptInRange('0', '9') < 0;
        if (versioned) kind = kind[(slash + 1)..];
        return kind.Length == 0 ? "work" : kind;
    }

    /// <summary>The statuses of the problems that the pool may answer in place of an endpoint with these attributes.</summary>
    /// <exception cref="InvalidOperationException">An option of an attribute is out of its range.</exception>
    public static IEnumerable<int> ProblemsOf(IEnumerable<object> metadata, string? name, IServiceProvider services)
    {
        var endpoint = new PoolEndpoint();
        foreach (RunOnPoolAttribute attribute in metadata.OfType<RunOnPoolAttribute>()) attribute.Apply(endpoint, name);
        return endpoint.Problems(services);
    }

    private IEnumerable<int> Problems(IServiceProvider services)
    {
        PoolOptions? pool = OptionsOf(services, PoolName);
        yield return StatusCodes.Status408RequestTimeout;
        yield return StatusCodes.Status413PayloadTooLarge;
        yield return StatusCodes.Status500InternalServerError;
        yield return StatusCodes.Status503ServiceUnavailable;
        if (pool?.Quota is not null) yield return StatusCodes.Status429TooManyRequests;
        if (Options.MaxRunTime is not null || (pool is not null && pool.MaxRunTime != Timeout.InfiniteTimeSpan)) yield return StatusCodes.Status504GatewayTimeout;
    }

    /// <summary>Reads the settings and not the pool, which is created when the host starts.</summary>
    private static PoolOptions? OptionsOf(IServiceProvider services, string? pool)
    {
        pool ??= services.GetServices<PoolRegistration>().FirstOrDefault()?.Name;
        return pool is null ? null : services.GetService<IOptionsMonitor<PoolOptions>>()?.Get(pool);
    }

    private sealed class Services
    {
        public Services(PoolEndpoint endpoint, IServiceProvider services)
        {
            Pool = services.GetRequiredService<PoolContexts>().Get(endpoint.PoolName);
            Overload = Pool.NewOverloadControl();
            Gate = services.GetRequiredService<RequestGate>();
            Shutdown = services.GetRequiredService<ShutdownCoordinator>();
            LimitsRunTime = endpoint.MaxRunTimeIn(Pool) != Timeout.InfiniteTimeSpan;
            if (endpoint.IsSynchronous && !LimitsRunTime) RequestCache = PoolRequest.NewCache(endpoint);
        }

        public PoolContext Pool { get; }

        public OverloadControl? Overload { get; }

        public RequestGate Gate { get; }

        public ShutdownCoordinator Shutdown { get; }

        public bool LimitsRunTime { get; }

        public ObjectPool<PoolRequest>? RequestCache { get; }
    }
}
