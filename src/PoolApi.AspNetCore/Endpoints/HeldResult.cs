using Microsoft.AspNetCore.Http;

namespace PoolApi.AspNetCore.Endpoints;

/// <summary>A response whose bytes count against the <see cref="ResponseBudget"/>.</summary>
internal sealed class HeldResult(IResult answer, ResponseLease lease) : IResult
{
    public Task ExecuteAsync(HttpContext httpContext) => lease.SendAsync(httpContext, answer);
}
