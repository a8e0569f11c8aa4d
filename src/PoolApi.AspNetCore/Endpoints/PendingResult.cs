using Microsoft.AspNetCore.Http;

namespace PoolApi.AspNetCore.Endpoints;

/// <summary>
/// The result of a synchronous handler that is still being executed into memory: a result type of the app that has a lazy value and awaits while
/// it writes. The worker does not wait for it.
/// </summary>
internal sealed class PendingResult(Task<object?> result) : IResult
{
    public async Task ExecuteAsync(HttpContext httpContext)
    {
        if (await result is IResult executed) await executed.ExecuteAsync(httpContext);
    }
}
