using PoolApi.Jobs.Running;
using PoolApi.Jobs.Stores;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>What an app says of its jobs beside the options: where they are kept. Returned by <c>AddJobs</c>.</summary>
public sealed class JobsBuilder
{
    /// <summary>Makes a builder.</summary>
    /// <param name="services">The app's services. They have the <see cref="JobInstruments"/>.</param>
    internal JobsBuilder(IServiceCollection services)
    {
        ArgumentNullException.ThrowIfNull(services);
        Services = services;
    }

    /// <summary>The app's services.</summary>
    public IServiceCollection Services { get; }

    /// <summary>Keeps jobs in a store. It is made when the app starts, opened before the server listens, and disposed of at the stop.</summary>
    /// <param name="store">Makes the store. Called once.</param>
    /// <exception cref="InvalidOperationException">The app has a store already.</exception>
    internal JobsBuilder UseStore(Func<IServiceProvider, IJobStore> store)
    {
        ArgumentNullException.ThrowIfNull(store);
        if (Services.Any(static s => s.ServiceType == typeof(IJobStore))) throw new InvalidOperationException("The app has a store for its jobs already.");
        Services.AddSingleton<IJobStore>(services => new MeasuredJobStore(store(services), services.GetRequiredService<JobInstruments>()));
        return this;
    }
}
