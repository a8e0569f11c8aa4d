using System.Globalization;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.Extensions.Options;
using PoolApi.AspNetCore.Endpoints;
using PoolApi.Dashboard.Changes;
using PoolApi.Dashboard.History;
using PoolApi.Dashboard.Requests;
using PoolApi.Dashboard.Streams;
using PoolApi.Jobs;
using PoolApi.Jobs.AspNetCore;
using PoolApi.Jobs.AspNetCore.Endpoints;
using PoolApi.Jobs.Running;
using PoolApi.Jobs.Stores;

namespace PoolApi.Dashboard.Jobs;

/// <summary>Maps the data of the jobs' pages. In an app without jobs these routes answer 404.</summary>
/// <remarks>They show the jobs of all clients, because the pages are for operators.</remarks>
internal static class JobEndpoints
{
    private const int PageSize = 50;
    private const long MostResult = 64L << 20;

    private static readonly RequestParameter<Guid> Id = RequestParameter.Text(
        "id", "The job.", "the id of a job", static (string text, out Guid id) => Guid.TryParseExact(text, "D", out id), isRequired: true);

    private static readonly RequestParameter<Guid?> Cursor = RequestParameter.Text<Guid?>(
        "cursor", "Where the page before ended: its last job.", "the id of a job", Blank.OrId);

    public static void Map(RouteGroupBuilder group, RouteGroupBuilder? changes, ActionLog log, PageStreams streams, RunningJobs running)
    {
        RouteGroupBuilder jobs = group.MapGroup("");
        jobs.AddEndpointFilter(static (invocation, next) => AnswerAsync(invocation, next));
        bool canChange = changes is not null;
        jobs.MapMethods("/jobs/kinds", ReadMethods.All, (Delegate)(async (HttpContext context) =>
        {
            IJobStore store = Store(context);
            IReadOnlyDictionary<JobState, long> counts = await store.CountAsync(context.RequestAborted);
            var kinds = context.RequestServices.GetService<IJobKinds>();
            return TypedResults.Bytes(Json.Write(json =>
            {
                json.WriteStartObject();
                json.WriteStartArray("kinds");
                foreach (string kind in kinds?.All ?? []) json.WriteStringValue(kind);
                json.WriteEndArray();
                json.WriteBoolean("canChange", canChange);
                JobJson.WriteCounts(json, counts);
                json.WriteEndObject();
            }), "application/json");
        }));
        jobs.MapMethods("/jobs/list", ReadMethods.All, (Delegate)(static async Task<IResult> (HttpContext context) =>
        {
            var faults = new RequestFaults(context);
            JobFilter filter = JobFilter.Read(context, faults);
            Guid? after = Cursor.Read(context, faults);
            if (faults.Refusal is { } refusal) return refusal;
            JobPage page = await filter.ListAsync(Store(context), after, PageSize, context.RequestAborted);
            context.Response.Headers.CacheControl = "no-store";
            return TypedResults.Bytes(Json.Write(json =>
            {
                json.WriteStartObject();
                json.WriteStartArray("jobs");
                TimeSpan lease = Lease(context);
                foreach (Job job in page.Jobs) JobJson.Write(json, job, JobJson.IsStale(job, lease));
                json.WriteEndArray();
                json.WriteMaybe("next", page.HasMore ? JobJson.Cursor(page.Jobs[^1].Id) : null);
                json.WriteEndObject();
            }), "application/json");
        }));
        jobs.MapMethods("/jobs/stream", ReadMethods.All, (Delegate)(async Task<IResult> (HttpContext context) =>
        {
            var faults = new RequestFaults(context);
            JobFilter filter = JobFilter.Read(context, faults);
            Guid? after = Cursor.Read(context, faults);
            if (faults.Refusal is { } refusal) return refusal;
            return await streams.WriteAsync(context, (end, client) => Stream(context, log, running).ListAsync(filter, after, PageSize, end, client));
        }));
        jobs.MapMethods("/job/stream", ReadMethods.All, (Delegate)(async Task<IResult> (HttpContext context) =>
        {
            var faults = new RequestFaults(context);
            if (!Id.TryRead(context, faults, out Guid id)) return faults.Refusal!;
            // The browser's reconnect sends the id of the last event; a new page has none.
            string? seen = context.Request.Headers["Last-Event-ID"].FirstOrDefault() ?? context.Request.Query["after"];
            long after = long.TryParse(seen, NumberStyles.None, CultureInfo.InvariantCulture, out long version) ? version : 0;
            if (await Store(context).GetAsync(id, context.RequestAborted) is null) return NotFound(context);
            return await streams.WriteAsync(context, (end, client) => Stream(context, log, running).OneAsync(id, after, end, client));
        }));
        jobs.MapMethods("/jobs/matching", ReadMethods.All, (Delegate)((HttpContext context) => new JobChanges(Store(context), log).CountAsync(context)));
        jobs.MapMethods("/job/known", ReadMethods.All, (Delegate)(async Task<IResult> (HttpContext context) =>
        {
            var faults = new RequestFaults(context);
            if (!Id.TryRead(context, faults, out Guid id)) return faults.Refusal!;
            if (await Store(context).GetAsync(id, context.RequestAborted) is null) return NotFound(context);
            context.Response.Headers.CacheControl = "no-store";
            return TypedResults.Bytes(Json.Write(json =>
            {
                json.WriteStartObject();
                json.WriteBoolean("canChange", canChange);
                json.WriteEndObject();
            }), "application/json");
        }));
        jobs.MapMethods("/job/result", ReadMethods.All, (Delegate)ResultAsync);
        if (changes is null) return;
        RouteGroupBuilder changing = changes.MapGroup("");
        changing.AddEndpointFilter(static (invocation, next) => AnswerAsync(invocation, next));
        changing.MapPost("/jobs/change", (Delegate)((HttpContext context) => new JobChanges(Store(context), log).ChangeAsync(context)));
        // By POST and in the group of the changes: only a user who may change a job may read its payload.
        changing.MapPost("/job/payload", (Delegate)PayloadAsync);
    }

    private static IJobStore Store(HttpContext context) => context.RequestServices.GetRequiredService<IJobStore>();

    private static TimeSpan Lease(HttpContext context) => context.RequestServices.GetRequiredService<IOptions<JobsOptions>>().Value.Lease;

    private static JobsStream Stream(HttpContext context, ActionLog log, RunningJobs running) => new(
        Store(context), context.RequestServices.GetRequiredService<JobWatch>(), log, running, Lease(context), context.RequestServices.GetService<TimeProvider>() ?? TimeProvider.System);

    /// <summary>The result as a file, so that no content of it is shown within the dashboard's origin.</summary>
    private static async Task<IResult> ResultAsync(HttpContext context)
    {
        var faults = new RequestFaults(context);
        if (!Id.TryRead(context, faults, out Guid id)) return faults.Refusal!;
        var responses = context.RequestServices.GetRequiredService<ResponseBudget>();
        IJobStore store = Store(context);
        JobWithResult? found = await store.GetResultAsync(id, 0, context.RequestAborted);
        if (found is null) return NotFound(context);
        if (found.Result is null)
        {
            return Problem.NotFound(
                context, found.IsSwept ? "The result is past its retention." : $"The job is {found.Job.State.ToWord()}: it has no result.");
        }
        long length = found.UnreadBytes + found.Result.Body.Length;
        if (length > MostResult || responses.TryTake(context, length) is not { } reservation) return NoRoom();
        found = await store.GetResultAsync(id, length, context.RequestAborted);
        // A job that was retried meanwhile may have a longer result by now.
        while (found is { UnreadBytes: > 0 and var longer })
        {
            if (longer > MostResult || !reservation.TryResize(longer)) return NoRoom();
            found = await store.GetResultAsync(id, longer, context.RequestAborted);
        }
        if (found?.Result is not { } result)
        {
            reservation.Dispose();
            return NotFound(context);
        }
        return await SendAsync(context, reservation, result.Body, $"job-{id:D}-result");

        ProblemHttpResult NoRoom() =>
            Problem.Later(context, CommonProblems.Overloaded, "There is no room for the result now. Read it by the route of the job.");
    }

    /// <summary>What the client has sent, as a file.</summary>
    private static async Task<IResult> PayloadAsync(HttpContext context)
    {
        var faults = new RequestFaults(context);
        if (!Id.TryRead(context, faults, out Guid id)) return faults.Refusal!;
        var responses = context.RequestServices.GetRequiredService<ResponseBudget>();
        IJobStore store = Store(context);
        StoredPayload? found = await store.GetPayloadAsync(id, 0, context.RequestAborted);
        if (found is null) return await store.GetAsync(id, context.RequestAborted) is null ? NotFound(context) : Problem.NotFound(context, "The payload is past its retention.");
        long length = found.UnreadBytes;
        if (length > MostResult || responses.TryTake(context, length) is not { } reservation)
            return Problem.Later(context, CommonProblems.Overloaded, "There is no room for the payload now.");
        found = await store.GetPayloadAsync(id, length, context.RequestAborted);
        if (found is null)
        {
            reservation.Dispose();
            return NotFound(context);
        }
        return await SendAsync(context, reservation, found.Payload.Body, $"job-{id:D}-payload");
    }

    private static async Task<IResult> SendAsync(HttpContext context, ResponseReservation reservation, ReadOnlyMemory<byte> body, string name)
    {
        context.Response.Headers.CacheControl = "no-store";
        context.Response.Headers.XContentTypeOptions = "nosniff";
        context.Response.Headers.ContentSecurityPolicy = "default-src 'none'; sandbox";
        context.Response.Headers.ContentDisposition = $"attachment; filename=\"{name}\"";
        context.Response.ContentType = "application/octet-stream";
        context.Response.ContentLength = body.Length;
        if (HttpMethods.IsHead(context.Request.Method)) reservation.Dispose();
        else await reservation.SendAsync(context, body);
        return TypedResults.Empty;
    }

    private static async ValueTask<object?> AnswerAsync(EndpointFilterInvocationContext invocation, EndpointFilterDelegate next)
    {
        HttpContext context = invocation.HttpContext;
        if (context.RequestServices.GetService<IJobStore>() is null)
            return Problem.NotFound(context, "This app has no jobs.");
        try
        {
            return await next(invocation);
        }
        catch (JobStoreException) when (!context.Response.HasStarted)
        {
            return Problem.Later(context, CommonProblems.StoreUnavailable, "The store of the jobs cannot be used for now.");
        }
    }

    private static ProblemHttpResult NotFound(HttpContext context) => Problem.NotFound(context, "There is no such job; it may be past its retention.");
}
