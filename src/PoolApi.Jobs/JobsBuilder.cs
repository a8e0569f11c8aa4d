using PoolApi.Jobs.Running;
using PoolApi.Jobs.Stores;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Configures the store of an app's jobs. Returned by <c>AddJobs</c>. Used while services are registered; not thread-safe.</summary>
public sealed class JobsBuilder
{
    /// <summary>Creates a builder.</summary>
    /// <param name="services">The app's services, in which the <see cref="JobInstruments"/> are registered.</param>
    internal JobsBuilder(IServiceCollection services)
    {
        ArgumentNullException.ThrowIfNull(services);
        Services = services;
    }

    /// <summary>The app's services.</summary>
    public IServiceCollection Services { get; }

    /// <summary>Registers the store. The app creates it at the start, opens it before the server listens, and disposes of it at the stop.</summary>
    /// <param name="store">Creates the store. Called once.</param>
    /// <exception cref="InvalidOperationException">The app has a store already.</exception>
    internal JobsBuilder UseStore(Func<IServiceProvider, IJobStore> store)
    {
        ArgumentNullException.ThrowIfNull(store);
        if (Services.Any(static s => s.ServiceType == typeof(IJobStore))) throw new InvalidOperationException("The app has a store for its jobs already.");
        Services.AddSingleton<IJobStore>(services => new MeasuredJobStore(store(services), services.GetRequiredService<JobInstruments>()));
        return this;
    }
}
