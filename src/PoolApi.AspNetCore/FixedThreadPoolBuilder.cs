using System.Threading.RateLimiting;
using Microsoft.AspNetCore.Http;
using PoolApi.AspNetCore;
using PoolApi.AspNetCore.Settings;
using PoolApi.Threading;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Configures in code what a pool's settings do not have. Returned by <c>AddFixedThreadPool</c>. Used while services are registered; not thread-safe.</summary>
public sealed class FixedThreadPoolBuilder
{
    private readonly PoolRegistration _registration;

    internal FixedThreadPoolBuilder(IServiceCollection services, PoolRegistration registration) => (Services, _registration) = (services, registration);

    /// <summary>The pool's name.</summary>
    public string Name => _registration.Name;

    /// <summary>The app's services.</summary>
    public IServiceCollection Services { get; }

    /// <summary>Reads the pool's settings from this section instead of <c>Pools:{name}</c>.</summary>
    /// <param name="section">The section's path. The start fails if two pools have the same section.</param>
    /// <param name="isShared">
    /// Whether the section also has keys of the app. If so, unknown keys are ignored. If not, an unknown key fails the start.
    /// </param>
    /// <returns>This builder.</returns>
    /// <exception cref="ArgumentException"><paramref name="section"/> is empty.</exception>
    public FixedThreadPoolBuilder FromSection(string section, bool isShared = false)
    {
        ArgumentException.ThrowIfNullOrEmpty(section);
        _registration.Section = new SettingsSection(section, isShared);
        return this;
    }

    /// <summary>
    /// Configures the pool's own options after the settings are applied. Use it for the options that <see cref="PoolOptions"/> does not have:
    /// stand-ins for stuck workers, a state for each worker, or an observer. Observers of several calls and the log are all notified.
    /// </summary>
    /// <param name="configure">Changes the options. Called once, when the pool is created. It must not change the name.</param>
    /// <returns>This builder.</returns>
    public FixedThreadPoolBuilder ConfigureThreads(Action<FixedThreadPoolOptions> configure)
    {
        ArgumentNullException.ThrowIfNull(configure);
        return ConfigureThreads((_, options) => configure(options));
    }

    /// <inheritdoc cref="ConfigureThreads(Action{FixedThreadPoolOptions})"/>
    public FixedThreadPoolBuilder ConfigureThreads(Action<IServiceProvider, FixedThreadPoolOptions> configure)
    {
        ArgumentNullException.ThrowIfNull(configure);
        _registration.Threads.Add(configure);
        return this;
    }

    /// <summary>Limits what each client may use of the pool (<see cref="PoolOptions.Quota"/>).</summary>
    /// <param name="quota">The limiter. The caller disposes of it.</param>
    /// <returns>This builder.</returns>
    public FixedThreadPoolBuilder WithQuota(PartitionedRateLimiter<HttpContext> quota)
    {
        ArgumentNullException.ThrowIfNull(quota);
        Services.Configure<PoolOptions>(Name, options => options.Quota = quota);
        return this;
    }

    /// <summary>Limits what each client may use of the pool, with a limiter that is created from the app's services. The container disposes of it.</summary>
    /// <param name="quota">Creates the limiter. Called once.</param>
    /// <returns>This builder.</returns>
    public FixedThreadPoolBuilder WithQuota(Func<IServiceProvider, PartitionedRateLimiter<HttpContext>> quota)
    {
        ArgumentNullException.ThrowIfNull(quota);
        var key = new object(); // keyed by a private object: the container disposes of the limiter, and no other code resolves it
        Services.AddKeyedSingleton(key, (services, _) => quota(services));
        Services.AddOptions<PoolOptions>(Name).Configure<IServiceProvider>(
            (options, services) => options.Quota = services.GetRequiredKeyedService<PartitionedRateLimiter<HttpContext>>(key));
        return this;
    }

    /// <summary>Switches <see cref="PoolOptions.OverloadControl"/> off: requests are refused only when the queue is full.</summary>
    /// <returns>This builder.</returns>
    public FixedThreadPoolBuilder WithoutOverloadControl()
    {
        Services.Configure<PoolOptions>(Name, static options => options.OverloadControl = false);
        return this;
    }

    /// <summary>
    /// Adds a callback for requests that get a problem instead of their work's result: the pool refused them, they waited too long, they ran
    /// too long, or a stop interrupted them. The response already has its status, <c>Retry-After</c> and <c>Cache-Control: no-store</c>. The
    /// callback is not called for a client that has disconnected.
    /// </summary>
    /// <remarks>
    /// After a run timeout (504, <c>run-timeout</c>) the handler may still run and the work may take effect. The callback then gets a context,
    /// items and services that are not the handler's.
    /// </remarks>
    /// <param name="onRejected">
    /// Returns whether it has written the response. If not, the next callback is called. After the last one, the problem is written.
    /// </param>
    /// <returns>This builder.</returns>
    public FixedThreadPoolBuilder OnRejected(Func<HttpContext, PoolRejection, ValueTask<bool>> onRejected)
    {
        ArgumentNullException.ThrowIfNull(onRejected);
        _registration.Rejected.Add(onRejected);
        return this;
    }
}
