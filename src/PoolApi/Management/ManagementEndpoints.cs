using PoolApi.Requests;

namespace PoolApi.Management;

/// <summary>Maps the management routes: dashboard, workers, metrics, probes and drain.</summary>
internal static class ManagementEndpoints
{
    public static void MapManagement(this IEndpointRouteBuilder endpoints, bool diagnostics)
    {
        RouteGroupBuilder group = endpoints.MapGroup("");
        group.WithMetadata(new ListenerMetadata(ListenerKind.Management));
        group.ExcludeFromDescription();
        group.MapPrometheusScrapingEndpoint("/metrics").WithJobCounts().OnlyReads();
        group.MapPoolHealth();
        group.MapPoolWorkers();
        var hosts = endpoints.ServiceProvider.GetRequiredService<ManagementHosts>();
        group.MapPoolDrain(isCrossSite: context => hosts.IsCrossSite(context.Request));
        group.MapServiceDashboard(hosts, endpoints.ServiceProvider.GetRequiredService<DashboardSettings>(), diagnostics);
    }
}
