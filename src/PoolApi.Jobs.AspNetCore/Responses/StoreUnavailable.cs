using PoolApi.Jobs.AspNetCore.Problems;
using PoolApi.Jobs.Stores;

namespace PoolApi.Jobs.AspNetCore.Responses;

/// <summary>Answers 503 when the store cannot be used for now. The text of the store's exception is for the operator, not for the client.</summary>
internal static class StoreUnavailable
{
    /// <summary>After how many seconds the client may try again.</summary>
    public const int RetryAfter = 5;

    /// <summary>Adds the response to every endpoint of a group, or to one endpoint.</summary>
    public static TBuilder AnswerStoreUnavailable<TBuilder>(this TBuilder builder)
        where TBuilder : IEndpointConventionBuilder =>
        builder.AddEndpointFilter(static async (invocation, next) =>
        {
            try
            {
                return await next(invocation);
            }
            catch (JobStoreUnavailableException) when (!invocation.HttpContext.Response.HasStarted)
            {
                return Response(invocation.HttpContext);
            }
        });

    /// <summary>The response, for where there is no endpoint filter.</summary>
    public static IResult Response(HttpContext context) => JobProblem.Later(
        context, CommonProblems.StoreUnavailable,
        "The store of the jobs cannot be used for now; jobs that were accepted are kept. Try again after the time in Retry-After: "
        + "a request that is repeated with the same Idempotency-Key is accepted once.",
        RetryAfter);
}
