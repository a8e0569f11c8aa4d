using System.Threading.RateLimiting;
using Microsoft.AspNetCore.Http;
using PoolApi.AspNetCore;
using PoolApi.Threading;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>What an app says of one of its pools, beside its settings. Returned by <c>AddFixedThreadPool</c>.</summary>
public sealed class FixedThreadPoolBuilder
{
    private readonly PoolRegistration _registration;

    internal FixedThreadPoolBuilder(IServiceCollection services, PoolRegistration registration) => (Services, _registration) = (services, registration);

    /// <summary>The pool's name.</summary>
    public string Name => _registration.Name;

    /// <summary>The app's services.</summary>
    public IServiceCollection Services { get; }

    /// <summary>Reads the pool's settings from another section than <c>Pools:{name}</c>.</summary>
    /// <param name="section">The section's path. Two pools with one section fail the start.</param>
    /// <param name="isShared">
    /// Whether the section has keys of the app too. Then a key that is no setting of a pool is left alone; otherwise it fails the start.
    /// </param>
    public FixedThreadPoolBuilder FromSection(string section, bool isShared = false)
    {
        ArgumentException.ThrowIfNullOrEmpty(section);
        _registration.Section = new SettingsSection(section, isShared);
        return this;
    }

    /// <summary>
    /// Changes the options of the threads, after the settings: those that <see cref="PoolOptions"/> does not have, such as stand-ins for
    /// stuck workers, a state for each worker, or an observer, which is told beside the log and beside other calls' observers.
    /// </summary>
    /// <param name="configure">Changes them, when the pool is made. It may not change the name.</param>
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

    /// <summary>Gives each client a share of the pool (<see cref="PoolOptions.Quota"/>).</summary>
    /// <param name="quota">The limiter. Its maker disposes of it.</param>
    public FixedThreadPoolBuilder WithQuota(PartitionedRateLimiter<HttpContext> quota)
    {
        ArgumentNullException.ThrowIfNull(quota);
        Services.Configure<PoolOptions>(Name, options => options.Quota = quota);
        return this;
    }

    /// <summary>The same with a limiter that is made when the app starts. The app disposes of it.</summary>
    /// <param name="quota">Makes the limiter. Called once.</param>
    public FixedThreadPoolBuilder WithQuota(Func<IServiceProvider, PartitionedRateLimiter<HttpContext>> quota)
    {
        ArgumentNullException.ThrowIfNull(quota);
        var key = new object(); // a service of the container, so that it is disposed of, and nobody else's
        Services.AddKeyedSingleton(key, (services, _) => quota(services));
        Services.AddOptions<PoolOptions>(Name).Configure<IServiceProvider>(
            (options, services) => options.Quota = services.GetRequiredKeyedService<PartitionedRateLimiter<HttpContext>>(key));
        return this;
    }

    /// <summary>Switches off <see cref="PoolOptions.OverloadControl"/>: a request is refused for a full queue only, not for a long one.</summary>
    public FixedThreadPoolBuilder WithoutOverloadControl()
    {
        Services.Configure<PoolOptions>(Name, static options => options.OverloadControl = false);
        return this;
    }

    /// <summary>
    /// Calls the app for each request that gets a problem in place of its work's answer: refused, expired, or interrupted by a stop. The
    /// response has its status, <c>Retry-After</c> and <c>Cache-Control: no-store</c> by then. Not for a client that has left. Also for a
    /// request whose work ran for longer than it may (504, <c>run-timeout</c>): then the handler may still run and the work may have taken
    /// effect, and the context, its items and its services are not the handler's.
    /// </summary>
    /// <param name="onRejected">
    /// Returns whether it has written the answer. If not, the next one is asked; after the last one the problem is written.
    /// </param>
    public FixedThreadPoolBuilder OnRejected(Func<HttpContext, PoolRejection, ValueTask<bool>> onRejected)
    {
        ArgumentNullException.ThrowIfNull(onRejected);
        _registration.Rejected.Add(onRejected);
        return this;
    }
}
