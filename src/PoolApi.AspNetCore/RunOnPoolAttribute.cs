using Microsoft.AspNetCore.Mvc.ApplicationModels;
using Microsoft.AspNetCore.Mvc.Filters;
using PoolApi.AspNetCore.Endpoints;
using PoolApi.Threading;

namespace PoolApi.AspNetCore;

/// <summary>
/// Runs a controller's actions, a Razor Page's handlers or a minimal API's handler on a fixed thread pool, as <c>RunOnPool</c> does. The
/// request is admitted and its body is read before it is queued.
/// </summary>
/// <remarks>
/// <para>Precedence, highest first: <c>RunOffPool()</c>, the attribute on the action, the attribute on the controller,
/// <c>MapControllers().RunOnPool()</c>. An option that one of them does not set is taken from the next.</para>
/// <para>Only the action or the page's handler runs on the pool. Binding, filters and the execution of the result do not.</para>
/// <para>On a minimal API's handler without <c>.RunOnPool()</c>, the attribute runs the whole endpoint on the pool: binding, the handler and
/// the writing of the response. With <c>.RunOnPool()</c> only the handler runs there.</para>
/// <para>In an app without any pool, mapping a controller that has the attribute fails, also if <c>RunOffPool()</c> follows. In such an
/// app a page fails at its first request. On a minimal API's handler the attribute alone has no effect there, because no code of this
/// library runs. The build of such an app has the warning POOLAPI001.</para>
/// </remarks>
/// <param name="pool">The pool's name. Default: the pool that the controller or <c>RunOnPool()</c> names, else the pool that was added first.</param>
[AttributeUsage(AttributeTargets.Class | AttributeTargets.Method)]
public sealed class RunOnPoolAttribute(string? pool = null) : Attribute, IFilterFactory, IOrderedFilter, IControllerModelConvention, IActionModelConvention
{
    private WorkPriority? _priority;
    private int? _maxQueueTime;
    private int? _maxRunTime;
    private long? _maxBodyBytes;
    private bool? _executeResult;

    /// <summary>The pool's name; <see langword="null"/>: this attribute names none.</summary>
    public string? Pool => pool;

    /// <inheritdoc cref="RunOnPoolOptions.Priority"/>
    public WorkPriority Priority { get => _priority ?? WorkPriority.Normal; set => _priority = value; }

    /// <summary>
    /// The longest time a request may be queued, in milliseconds, 1 to 86,400,000 (1 day). The pool's own limit applies too. Default: 0, only
    /// the pool's limit.
    /// </summary>
    public int MaxQueueTimeMilliseconds { get => _maxQueueTime ?? 0; set => _maxQueueTime = value; }

    /// <summary>
    /// The longest time the work of a request may run, in milliseconds, 1 to 86,400,000 (1 day). The pool's own limit applies too. Default: 0,
    /// only the pool's limit.
    /// </summary>
    public int MaxRunTimeMilliseconds { get => _maxRunTime ?? 0; set => _maxRunTime = value; }

    /// <summary>
    /// The largest body, in bytes, 1 to 1 GiB. The smallest of this, the pool's <see cref="PoolOptions.MaxBodyBytes"/> and the server's own
    /// limit applies. Default: 0, only the other two.
    /// </summary>
    public long MaxBodyBytes { get => _maxBodyBytes ?? 0; set => _maxBodyBytes = value; }

    /// <inheritdoc cref="RunOnPoolOptions.Kind"/>
    public string? Kind { get; set; }

    /// <inheritdoc cref="RunOnPoolOptions.ExecuteResult"/>
    public bool ExecuteResult { get => _executeResult ?? false; set => _executeResult = value; }

    // Innermost, so that the other filters do not run on the pool.
    int IOrderedFilter.Order => HandlerFilter.Innermost;

    bool IFilterFactory.IsReusable => true;

    IFilterMetadata IFilterFactory.CreateInstance(IServiceProvider serviceProvider) => HandlerFilter.Instance;

    // MVC calls these while controllers are mapped. In an app without any pool nothing else of this library runs before a request comes.
    void IControllerModelConvention.Apply(ControllerModel controller) =>
        PoolEndpoint.ThrowIfNoPoolAnywhere(pool, $"The controller '{controller.DisplayName}'");

    void IActionModelConvention.Apply(ActionModel action) => PoolEndpoint.ThrowIfNoPoolAnywhere(pool, $"The action '{action.DisplayName}'");

    /// <summary>Copies the options that this attribute sets to the endpoint.</summary>
    /// <exception cref="InvalidOperationException">An option is out of its range.</exception>
    internal void Apply(PoolEndpoint endpoint, string? name)
    {
        Check(_maxQueueTime, nameof(MaxQueueTimeMilliseconds), name);
        Check(_maxRunTime, nameof(MaxRunTimeMilliseconds), name);
        if (pool is not null) endpoint.Configure(pool);
        RunOnPoolOptions options = endpoint.Options;
        if (_priority is { } priority) options.Priority = priority;
        if (_maxQueueTime is { } milliseconds) options.MaxQueueTime = TimeSpan.FromMilliseconds(milliseconds);
        if (_maxRunTime is { } longest) options.MaxRunTime = TimeSpan.FromMilliseconds(longest);
        if (_maxBodyBytes is { } bytes) options.MaxBodyBytes = bytes;
        if (Kind is not null) options.Kind = Kind;
        if (_executeResult is { } executeResult) options.ExecuteResult = executeResult;
        try
        {
            options.Validate();
        }
        catch (ArgumentOutOfRangeException e)
        {
            throw Fault(name, e.Message, e);
        }
    }

    private static void Check(int? milliseconds, string option, string? name)
    {
        if (milliseconds is < 1 or > 86_400_000) throw Fault(name, $"{option} must be 1 to 86,400,000; it is {milliseconds}.");
    }

    private static InvalidOperationException Fault(string? name, string message, Exception? inner = null) =>
        new($"The attribute RunOnPool of the endpoint '{name}' is not valid. {message}", inner);
}
