using PoolApi.Dashboard;
using PoolApi.Dashboard.Pages;

namespace Microsoft.AspNetCore.Builder;

/// <summary>Maps the dashboard.</summary>
public static class MapPoolDashboardExtensions
{
    /// <summary>Maps pages that show every worker and every job, live and over the last minutes.</summary>
    /// <param name="endpoints">Where to map them.</param>
    /// <param name="prefix">The path before all its routes.</param>
    /// <param name="configure">Sets the options.</param>
    /// <returns>All routes of the dashboard.</returns>
    public static IEndpointConventionBuilder MapPoolDashboard(
        this IEndpointRouteBuilder endpoints, string prefix = "/pools", Action<PoolDashboardOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(endpoints);
        ArgumentNullException.ThrowIfNull(prefix);
        var options = new PoolDashboardOptions();
        configure?.Invoke(options);
        RouteGroupBuilder group = endpoints.MapGroup(prefix);
        group.ExcludeFromDescription();
        PageEndpoints.Map(group);
        return group;
    }
}
