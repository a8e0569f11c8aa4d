using Microsoft.Extensions.Options;
using PoolApi.AspNetCore.Endpoints;
using PoolApi.Threading;

namespace PoolApi.Jobs.AspNetCore.Endpoints;

/// <summary>The pool whose workers run the jobs. An instance claims as many jobs as it has free workers there.</summary>
internal sealed class JobPool(IServiceProvider services, IOptions<JobsOptions> options)
{
    /// <summary>The pool.</summary>
    /// <exception cref="InvalidOperationException">There is no such pool.</exception>
    public FixedThreadPool Threads => Find(options.Value.Pool) ?? throw new InvalidOperationException(
        options.Value.Pool is { } name
            ? $"Jobs run on the pool '{name}', which does not exist: call services.AddFixedThreadPool(\"{name}\"), or set {nameof(JobsOptions)}.{nameof(JobsOptions.Pool)}."
            : "Jobs run on a pool, and there is none: call services.AddFixedThreadPool().");

    /// <summary>Refuses an endpoint whose jobs would run elsewhere: the instance would claim jobs for workers that are not free.</summary>
    /// <exception cref="InvalidOperationException">It runs on another pool, or on none.</exception>
    public void ThrowIfElsewhere(RouteEndpoint endpoint)
    {
        RunOnPoolMetadata runs = endpoint.Metadata.GetMetadata<RunOnPoolMetadata>() ?? throw new InvalidOperationException(
            $"The endpoint '{endpoint.DisplayName}' allows jobs and does not run on a pool: call RunOnPool() on it.");
        if (ReferenceEquals(Find(runs.Pool), Threads)) return;
        throw new InvalidOperationException(
            $"The endpoint '{endpoint.DisplayName}' allows jobs and runs on the pool '{runs.Pool ?? "of the first AddFixedThreadPool"}', "
            + $"and jobs run on the pool '{options.Value.Pool ?? "of the first AddFixedThreadPool"}'. "
            + $"Run the endpoint there, or set {nameof(JobsOptions)}.{nameof(JobsOptions.Pool)}.");
    }

    private FixedThreadPool? Find(string? name) =>
        name is null ? services.GetService<FixedThreadPool>() : services.GetKeyedService<FixedThreadPool>(name);
}
