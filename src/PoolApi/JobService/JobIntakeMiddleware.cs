using PoolApi.AspNetCore.Endpoints;
using PoolApi.JobRoutes;

namespace PoolApi.JobService;

/// <summary>
/// Looks at requests to storable endpoints for <c>Prefer: respond-async</c> and <c>Idempotency-Key</c>, and leads those that are to become
/// jobs into the endpoint by another way: a full pool is no reason to refuse what is to run later. Refuses others that ask for what only
/// a job can have.
/// </summary>
internal static class JobIntakeMiddleware
{
    /// <summary>After the routing and the check of keys, before everything that answers.</summary>
    public static void UseJobIntake(this WebApplication app) => app.Use(static rest => context =>
        // Not async itself: requests that become no job should not pay for those that do.
        context.GetEndpoint() is { } endpoint && endpoint.Metadata.GetMetadata<StorableMetadata>() is not null && IsAsked(context.Request)
            ? TakeAsync(context, endpoint, rest)
            : rest(context));

    private static bool IsAsked(HttpRequest request) =>
        request.Headers.ContainsKey(PreferHeader.Name) || request.Headers.ContainsKey(IdempotencyKeyHeader.Name) || JobParameters.AreGiven(request);

    private static async Task TakeAsync(HttpContext context, Endpoint endpoint, RequestDelegate rest)
    {
        var faults = new JobFaults(context);
        Preference preference = PreferHeader.Read(context.Request);
        string? key = IdempotencyKeyHeader.Read(context.Request, faults);
        bool isJob = preference.RespondAsync || key is not null;
        JobParameters? parameters = isJob ? JobParameters.Read(context, faults) : null;
        // Who forgets to say that it may be done later must not have it done at once, unseen.
        if (!isJob) JobParameters.Refuse(context.Request, faults);
        else if (!preference.RespondAsync) JobParameters.RefuseWhenWaitedFor(context.Request, faults);
        if (faults.Refusal is { } refusal)
        {
            await refusal.ExecuteAsync(context);
            return;
        }
        if (parameters is null)
        {
            await rest(context);
            return;
        }
        // Before the body is read. One that does not say its length is refused when it has been.
        if (JobIntake.RefuseBody(context, context.Request.ContentLength) is { } tooLarge)
        {
            await tooLarge.ExecuteAsync(context);
            return;
        }
        StoredRequestDelegates stored = endpoint.Metadata.GetRequiredMetadata<StoredRequestDelegates>();
        context.Features.Set(new JobIntake(context, stored.Kind, preference, key, parameters));
        await stored.Store(context);
    }
}
