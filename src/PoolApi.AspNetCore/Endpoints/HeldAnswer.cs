using Microsoft.AspNetCore.Http;

namespace PoolApi.AspNetCore.Endpoints;

/// <summary>A response whose bytes count against the <see cref="AnswerBudget"/>.</summary>
internal sealed class HeldAnswer(IResult answer, AnswerLease lease) : IResult
{
    public Task ExecuteAsync(HttpContext httpContext) => lease.SendAsync(httpContext, answer);
}
