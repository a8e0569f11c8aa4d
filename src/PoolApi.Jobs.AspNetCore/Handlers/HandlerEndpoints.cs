using System.Diagnostics.CodeAnalysis;
using Microsoft.Extensions.Options;
using PoolApi.Jobs.AspNetCore.Endpoints;

namespace PoolApi.Jobs.AspNetCore.Handlers;

/// <summary>
/// The handlers of jobs from code, each as an endpoint that no request reaches: so a job from code runs just as one from a request. The
/// framework binds the payload, services, the <see cref="JobContext"/> and the token; the pool runs the handler; the stop waits for it.
/// </summary>
internal sealed class HandlerEndpoints : IJobEndpoints, IEndpointRouteBuilder
{
    private readonly Lazy<IReadOnlyList<RouteEndpoint>> _all;

    [UnconditionalSuppressMessage("Trimming", "IL2026", Justification = "AddJob, which registers handlers, says so.")]
    [UnconditionalSuppressMessage("AOT", "IL3050", Justification = "AddJob, which registers handlers, says so.")]
    public HandlerEndpoints(IServiceProvider services, IEnumerable<JobHandler> handlers, IOptions<JobsOptions> options)
    {
        ServiceProvider = services;
        _all = new(() =>
        {
            foreach (JobHandler handler in handlers)
            {
#pragma warning disable RDG002 // the app gives the handler when it starts, so the generator cannot know it
                this.MapPost("/", handler.Handler)
#pragma warning restore RDG002
                    .WithDisplayName($"job {handler.Kind}")
                    .RunOnPool(handler.Pool ?? options.Value.Pool, o => o.Kind = handler.Kind)
                    .AllowJobs(handler.Kind, handler.Configure);
            }
            return [.. DataSources.SelectMany(static s => s.Endpoints).OfType<RouteEndpoint>()];
        });
    }

    public IReadOnlyList<RouteEndpoint> All => _all.Value;

    public IServiceProvider ServiceProvider { get; }

    public ICollection<EndpointDataSource> DataSources { get; } = [];

    public IApplicationBuilder CreateApplicationBuilder() => new ApplicationBuilder(ServiceProvider);
}
