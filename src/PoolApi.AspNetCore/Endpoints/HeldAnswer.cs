using Microsoft.AspNetCore.Http;

namespace PoolApi.AspNetCore.Endpoints;

/// <summary>An answer whose bytes count among those that clients have not read yet.</summary>
internal sealed class HeldAnswer(IResult answer, AnswerLease lease) : IResult
{
    public Task ExecuteAsync(HttpContext httpContext) => lease.SendAsync(httpContext, answer);
}
