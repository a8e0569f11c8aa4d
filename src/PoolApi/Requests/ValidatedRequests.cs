namespace PoolApi.Requests;

/// <summary>A request that checks itself when it is bound. A wrong one is refused before anything is queued.</summary>
internal interface IValidatedRequest
{
    /// <summary>The response to a request that is wrong; <see langword="null"/> if it is right.</summary>
    IResult? Refusal { get; }
}

/// <summary>Puts the refusal of wrong requests in front of the pool.</summary>
internal static class ValidatedRequests
{
    /// <summary>Call before <c>RunOnPool</c>: what is added first runs first.</summary>
    public static RouteHandlerBuilder RefuseInvalid(this RouteHandlerBuilder builder) => builder.AddEndpointFilter(static (invocation, next) =>
    {
        foreach (object? argument in invocation.Arguments)
        {
            if (argument is IValidatedRequest { Refusal: { } refusal }) return ValueTask.FromResult<object?>(refusal);
        }
        return next(invocation);
    });
}
