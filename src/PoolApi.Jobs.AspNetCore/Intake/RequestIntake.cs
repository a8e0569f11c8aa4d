using System.Collections.Frozen;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Primitives;
using PoolApi.AspNetCore.Endpoints;
using PoolApi.Jobs.AspNetCore.Responses;
using PoolApi.Jobs.AspNetCore.Problems;
using PoolApi.Jobs.AspNetCore.Requests;

namespace PoolApi.Jobs.AspNetCore.Intake;

/// <summary>
/// Reads <c>Prefer: respond-async</c> and <c>Idempotency-Key</c> of requests to endpoints that allow jobs. A request that becomes a job skips
/// the admission of the pool: a full pool is no reason to refuse work that runs later. A request that becomes no job is refused if it has
/// parameters of jobs.
/// </summary>
internal sealed class RequestIntake : IRequestIntake
{
    /// <summary>The headers and the parameters of the query that ask for a job, or say how the job runs.</summary>
    public static readonly IReadOnlyList<RequestParameter> Parameters = [PreferHeader.OfWork, IdempotencyKeyHeader.Parameter, .. JobParameters.All];

    private static readonly FrozenSet<string> HeaderNames =
        Parameters.Where(static p => !p.IsInQuery).Select(static p => p.Name).ToFrozenSet(StringComparer.OrdinalIgnoreCase);

    private static readonly RequestParameter[] InQuery = [.. Parameters.Where(static p => p.IsInQuery)];

    private RequestIntake()
    {
    }

    public static RequestIntake Instance { get; } = new();

    public Task? TryTake(HttpContext context, StoredRequestDelegates stored)
    {
        if (!IsAsked(context.Request)) return null;
        var faults = new JobFaults(context);
        Preference preference = PreferHeader.Read(context.Request);
        string? key = IdempotencyKeyHeader.Read(context, faults);
        bool isJob = preference.RespondAsync || key is not null;
        JobParameters? parameters = isJob ? JobParameters.Read(context, faults, JobAccess.MaxPriorityOf(context)) : null;
        // The work of a client that forgets respond-async must not run at once without notice.
        if (!isJob) JobParameters.Refuse(context.Request, faults);
        else if (!preference.RespondAsync) JobParameters.RefuseWhenWaitedFor(context.Request, faults);
        if (faults.Refusal is { } refusal) return refusal.ExecuteAsync(context);
        return parameters is null ? null : StoreAsync(context, stored, preference, key, parameters);
    }

    private static Task StoreAsync(HttpContext context, StoredRequestDelegates stored, Preference preference, string? key, JobParameters parameters)
    {
        JobsOptions options = context.RequestServices.GetRequiredService<IOptions<JobsOptions>>().Value;
        if (JobAccess.RefuseUnknown(context) is { } unknown) return unknown.ExecuteAsync(context);
        // Before the body is read. A body without Content-Length is checked after it has been read.
        if (JobRequest.RefuseBody(context, options, context.Request.ContentLength) is { } tooLarge) return tooLarge.ExecuteAsync(context);
        context.Features.Set<IRequestStoreFeature>(new JobRequest(context, context.GetEndpoint()!, options, preference, key, parameters));
        return stored.Store(context);
    }

    private static bool IsAsked(HttpRequest request) => HasHeader(request.Headers) || HasParameter(request);

    /// <remarks>
    /// Reads the names of the request's own headers. To look for each header by its name costs six times as many instructions: the server compares a name that it does not
    /// know with each name of the same length that it knows.
    /// </remarks>
    private static bool HasHeader(IHeaderDictionary headers)
    {
        foreach (KeyValuePair<string, StringValues> header in headers)
        {
            if (HeaderNames.Contains(header.Key)) return true;
        }
        return false;
    }

    /// <remarks>Reading the query of a request that has none would allocate.</remarks>
    private static bool HasParameter(HttpRequest request)
    {
        if (!request.QueryString.HasValue) return false;
        foreach (RequestParameter parameter in InQuery)
        {
            if (parameter.IsGivenIn(request)) return true;
        }
        return false;
    }
}
