namespace PoolApi.Jobs.AspNetCore.Endpoints;

/// <summary>Endpoints that run jobs and are not reached by requests.</summary>
internal interface IJobEndpoints
{
    IReadOnlyList<RouteEndpoint> All { get; }
}
