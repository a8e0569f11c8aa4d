using Microsoft.AspNetCore.Http;

namespace PoolApi.AspNetCore.Endpoints;

/// <summary>A response whose bytes count against the <see cref="ResponseBudget"/>.</summary>
internal sealed class HeldResult(IResult result, ResponseReservation reservation) : IResult
{
    public Task ExecuteAsync(HttpContext httpContext) => reservation.SendAsync(httpContext, result);
}
