using PoolApi.Auth;
using PoolApi.Jobs.AspNetCore;
using PoolApi.Requests;
using PoolApi.Threading;

namespace PoolApi.JobSetup;

/// <summary>The jobs of this service: where they are kept, whose they are, and where their routes are.</summary>
internal static class ServiceJobs
{
    private const string Prefix = "/v1/jobs";

    /// <param name="services">The services.</param>
    /// <param name="settings">Where jobs are kept and how they run. Not <see cref="JobStoreKind.None"/>.</param>
    /// <param name="hasKeys">Whether clients have keys, which distinguish them.</param>
    public static void AddServiceJobs(this IServiceCollection services, JobSettings settings, bool hasKeys)
    {
        JobsBuilder jobs = services.AddJobs(options =>
        {
            settings.Configure(options);
            if (!hasKeys) return;
            options.Client = static context => context.Features.Get<ApiClient>()?.Name;
            options.SeesEveryJob = static context => context.Features.Get<ApiClient>() is { SeesEveryJob: true };
            options.MaxPriority = static context => context.Features.Get<ApiClient>()?.MaxPriority ?? WorkPriority.High;
        });
        if (settings.Store == JobStoreKind.Sqlite) jobs.UseSqlite(settings.Path);
        // A missing one is reported when the app starts, together with the other faults.
        else if (!string.IsNullOrWhiteSpace(settings.ConnectionString)) jobs.UsePostgreSql(settings.ConnectionString, settings.Schema);
    }

    /// <summary>Maps the routes of jobs. They need a key if the service asks for keys, although nothing of them runs on the pool.</summary>
    public static void MapServiceJobs(this IEndpointRouteBuilder endpoints) => endpoints.MapJobs(Prefix).WithMetadata(new NeedsKeyMetadata());

    /// <summary>Lets a request become a job, where there are jobs.</summary>
    public static RouteHandlerBuilder AllowJobsIf(this RouteHandlerBuilder endpoint, bool jobs) => jobs ? endpoint.AllowJobs() : endpoint;

    /// <summary>Declares the query parameters of jobs on the routes of the group, so that they are not refused as unknown.</summary>
    public static RouteGroupBuilder KnowJobParameters(this RouteGroupBuilder group)
    {
        ((IEndpointConventionBuilder)group).Finally(static endpoint =>
        {
            foreach (JobQueryParameter parameter in endpoint.Metadata.OfType<JobQueryParameter>().ToArray())
                endpoint.Metadata.Add(new QueryParameterMetadata(parameter.Name));
        });
        return group;
    }
}
