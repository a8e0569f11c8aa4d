using Microsoft.Extensions.Options;
using PoolApi.AspNetCore.Endpoints;
using PoolApi.Threading;

namespace PoolApi.Jobs.AspNetCore.Endpoints;

/// <summary>The pools whose workers run jobs. A job runs on the pool of its endpoint.</summary>
internal sealed class JobPools(IServiceProvider services, IOptions<JobsOptions> options)
{
    /// <summary>The pool of handlers (AddJob) that name none.</summary>
    /// <exception cref="InvalidOperationException">There is no such pool.</exception>
    public FixedThreadPool Default => Find(options.Value.Pool) ?? throw new InvalidOperationException(
        options.Value.Pool is { } name
            ? $"Jobs run on the pool '{name}', which does not exist: call services.AddFixedThreadPool(\"{name}\"), or set {nameof(JobsOptions)}.{nameof(JobsOptions.Pool)}."
            : "Jobs run on a pool, and there is none: call services.AddFixedThreadPool().");

    /// <summary>The pool of an endpoint's jobs.</summary>
    /// <exception cref="InvalidOperationException">It runs on none, or on one that does not exist.</exception>
    public FixedThreadPool Of(RouteEndpoint endpoint)
    {
        RunOnPoolMetadata runs = endpoint.Metadata.GetMetadata<RunOnPoolMetadata>() ?? throw new InvalidOperationException(
            $"The endpoint '{endpoint.DisplayName}' allows jobs and does not run on a pool: call RunOnPool() on it.");
        return Find(runs.Pool) ?? throw new InvalidOperationException(
            $"The endpoint '{endpoint.DisplayName}' allows jobs and runs on the pool '{runs.Pool}', which does not exist: call services.AddFixedThreadPool(\"{runs.Pool}\").");
    }

    private FixedThreadPool? Find(string? name) =>
        name is null ? services.GetService<FixedThreadPool>() : services.GetKeyedService<FixedThreadPool>(name);
}
