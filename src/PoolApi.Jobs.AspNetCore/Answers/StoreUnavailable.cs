using System.Globalization;
using PoolApi.Jobs.AspNetCore.Problems;
using PoolApi.Jobs.Stores;

namespace PoolApi.Jobs.AspNetCore.Answers;

/// <summary>Turns a store that cannot be used for now into an answer. What its exception says is the operator's, not the client's.</summary>
internal static class StoreUnavailable
{
    public const string Name = "store-unavailable";

    /// <summary>After how many seconds to come back.</summary>
    public const int RetryAfter = 5;

    /// <summary>Answers for every endpoint of the group, or for the one endpoint.</summary>
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
                return Answer(invocation.HttpContext);
            }
        });

    /// <summary>The answer, for where there is no endpoint filter.</summary>
    public static IResult Answer(HttpContext context)
    {
        context.Response.Headers.RetryAfter = RetryAfter.ToString(CultureInfo.InvariantCulture);
        return JobProblem.Of(
            context, StatusCodes.Status503ServiceUnavailable,
            "The store of the jobs cannot be used for now; jobs that were accepted are kept. Try again after the time in Retry-After: "
            + "with the same Idempotency-Key, a request that was accepted after all is not accepted twice.",
            Name);
    }
}
