using System.Text.Json;
using Microsoft.AspNetCore.Mvc;
using PoolApi.AspNetCore.Events;
using PoolApi.Jobs.AspNetCore.Responses;
using PoolApi.Jobs.AspNetCore.Problems;
using PoolApi.Jobs.AspNetCore.Requests;
using PoolApi.Jobs.Running;
using PoolApi.Jobs.Stores;

namespace PoolApi.Jobs.AspNetCore.Routes;

/// <summary>The routes of jobs: to list, read, wait for, watch, cancel and retry them, and to read their results.</summary>
/// <remarks>Any instance answers for any job: all state is in the store. Nothing here runs on the pool.</remarks>
internal static class JobRouteEndpoints
{
    public const string Tag = "jobs";

    /// <summary>A route that answers GET answers HEAD too (RFC 9110, 9.1).</summary>
    private static readonly string[] Reading = [HttpMethods.Get, HttpMethods.Head];

    /// <summary>Maps the routes. Needs <see cref="IJobStore"/>, <see cref="JobWatch"/> and <see cref="Endpoints.IJobKinds"/> among the services.</summary>
    /// <returns>The routes, without the one that answers 405.</returns>
    public static RouteGroupBuilder Map(IEndpointRouteBuilder endpoints, string prefix)
    {
        RouteGroupBuilder all = endpoints.MapGroup(prefix);
        RouteGroupBuilder jobs = all.MapGroup("");
        jobs.WithTags(Tag).AnswerStoreUnavailable();
        jobs.AddEndpointFilter(static (invocation, next) =>
            JobAccess.RefuseUnknown(invocation.HttpContext) is { } unknown ? ValueTask.FromResult<object?>(unknown) : next(invocation));

        jobs.MapMethods("", Reading, ListAsync).WithMetadata(new JobsPath.ListMetadata()).DescribeList();
        jobs.MapMethods("/{id}", Reading, GetAsync).DescribeGet();
        jobs.MapMethods("/{id}/result", Reading, GetResultAsync).DescribeResult();
        jobs.MapMethods("/{id}/events", Reading, WatchAsync).DescribeEvents();
        jobs.MapDelete("/{id}", CancelAsync).DescribeCancel();
        jobs.MapPost("/{id}:retry", RetryAsync).DescribeRetry();
        // For every other method. Routing would mix the two routes that match one path, and answer 404 or the methods of both.
        all.Map("/{id}", static IResult (string id, HttpContext context) =>
        {
            bool isRetry = id.EndsWith(":retry", StringComparison.Ordinal);
            string methods = isRetry ? "POST" : "DELETE, GET, HEAD";
            bool isOptions = HttpMethods.IsOptions(context.Request.Method);
            context.Response.Headers.Allow = !isOptions ? methods : isRetry ? "OPTIONS, POST" : "DELETE, GET, HEAD, OPTIONS";
            return isOptions
                ? TypedResults.NoContent()
                : JobProblem.Of(context, CommonProblems.MethodNotAllowed, "The route exists, with another method: see the header Allow.");
        }).ExcludeFromDescription();
        return jobs;
    }

    private static async Task<IResult> ListAsync(JobListRequest request, HttpContext context, [FromServices] IJobStore store)
    {
        if (request.Refusal is { } refusal) return refusal;
        JobPage page = await store.ListAsync(request.Query, context.RequestAborted);
        context.Response.Headers.CacheControl = "no-store";
        var links = JobLinks.From(context.Request);
        var list = new JobListView([.. page.Jobs.Select(job => JobView.InList(job, links))], request.NextOf(page, links));
        return JobResults.Bytes(context, "application/json; charset=utf-8", JsonSerializer.SerializeToUtf8Bytes(list, JobJson.Readable.JobListView));
    }

    private static async Task<IResult> GetAsync(
        string id, HttpContext context, [FromServices] IJobStore store, [FromServices] JobWatch watch, [FromServices] IHostApplicationLifetime lifetime)
    {
        Preference preference = PreferHeader.Read(context.Request);
        if (!JobAccess.TryParseId(id, out Guid job)) return JobRejections.None(context);

        var known = JobETag.Known(context.Request);
        Job? now = preference.Wait is { } wait && wait > TimeSpan.Zero
            ? await WaitAsync(context, job, wait, watch, lifetime)
            : (await store.GetAsync(job, context.RequestAborted)).For(context);
        if (now is null) return JobRejections.None(context);

        // For a job that exists, only the preference to wait is applied.
        new Preference(RespondAsync: false, preference.Wait).SetApplied(context.Response);
        context.Response.Headers.ETag = JobETag.Of(now);
        context.Response.Headers.CacheControl = "private, no-cache";
        if (known.Matches(now)) return TypedResults.StatusCode(StatusCodes.Status304NotModified);
        return TypedResults.Json(JobView.Of(now, JobLinks.From(context.Request)), JobJson.Readable.JobView);
    }

    /// <summary>Waits for the end of the job or, if the request names the versions that the client has (<c>If-None-Match</c>), for another one.</summary>
    private static async Task<Job?> WaitAsync(HttpContext context, Guid id, TimeSpan wait, JobWatch watch, IHostApplicationLifetime lifetime)
    {
        TimeProvider clock = context.RequestServices.GetService<TimeProvider>() ?? TimeProvider.System;
        long received = clock.GetTimestamp(); // the first read of the job counts too
        await using JobFollower? job = await JobFollower.BeginAsync(context, id, watch, lifetime.ApplicationStopping);
        if (job is null) return null;
        TimeSpan left = wait - clock.GetElapsedTime(received);
        job.EndIn(left > TimeSpan.Zero ? left : TimeSpan.Zero, clock);
        var known = JobETag.Known(context.Request);
        while (known.Count > 0 ? known.Matches(job.Job) : !job.Job.State.IsFinal())
        {
            if (!await job.NextAsync()) return job.IsDeleted ? null : job.Job;
        }
        return job.Job;
    }

    private static async Task<IResult> GetResultAsync(string id, HttpContext context, [FromServices] IJobStore store)
    {
        if (!JobAccess.TryParseId(id, out Guid job)) return JobRejections.None(context);
        IResult response = await JobResults.ReadAsync(context, store, job);
        context.Response.Headers.CacheControl = "private, no-cache";
        return response;
    }

    private static async Task<IResult> WatchAsync(
        string id, HttpContext context, [FromServices] JobWatch watch, [FromServices] IHostApplicationLifetime lifetime)
    {
        var faults = new JobFaults(context);
        long seen = JobEvents.LastSeen.Read(context, faults);
        if (faults.Refusal is { } refusal) return refusal;
        if (!JobAccess.TryParseId(id, out Guid job)) return JobRejections.None(context);
        await using JobFollower? follower = await JobFollower.BeginAsync(context, job, watch, lifetime.ApplicationStopping);
        if (follower is null) return JobRejections.None(context);
        // A browser reconnects to a stream that ends. 204 stops it: there are no more events (HTML, 9.2).
        if (follower.Job.State.IsFinal() && follower.Job.Version <= seen) return TypedResults.NoContent();
        if (HttpMethods.IsHead(context.Request.Method)) EventStreamWriter.SetHeaders(context.Response);
        // Awaited here and not returned as a result: the follower must be disposed of afterwards.
        else await EventStreamWriter.WriteAsync(context, JobEvents.ReadAsync(follower, seen, JobLinks.From(context.Request)));
        return TypedResults.Empty;
    }

    private static async Task<IResult> CancelAsync(string id, HttpContext context, [FromServices] IJobStore store)
    {
        if (!JobAccess.TryParseId(id, out Guid job) || !await MayChangeAsync(job, context, store)) return JobRejections.None(context);
        if (await store.CancelAsync(job, context.RequestAborted) is not { } cancelled) return JobRejections.None(context);
        switch (cancelled.Before)
        {
            case JobState.Queued:
                return TypedResults.NoContent();
            case JobState.Running:
                return JobResults.Accepted(context, cancelled.After);
            default:
                return JobRejections.AlreadyEnded(context, cancelled.After);
        }
    }

    private static async Task<IResult> RetryAsync(string id, HttpContext context, [FromServices] IJobStore store)
    {
        if (!JobAccess.TryParseId(id, out Guid job) || !await MayChangeAsync(job, context, store)) return JobRejections.None(context);
        if (await store.RetryAsync(job, context.RequestAborted) is not { } retried) return JobRejections.None(context);
        bool isQueuedAgain = retried.Before is JobState.Failed or JobState.Cancelled or JobState.Expired && !retried.After.State.IsFinal();
        return isQueuedAgain ? JobResults.Accepted(context, retried.After) : JobRejections.CannotRetry(context, retried.Before);
    }

    /// <summary>Whether the job exists and belongs to the client. If the app does not distinguish clients, the change itself finds out whether the job exists.</summary>
    private static async ValueTask<bool> MayChangeAsync(Guid job, HttpContext context, IJobStore store) =>
        JobAccess.ViewOf(context) is null || (await store.GetAsync(job, context.RequestAborted)).For(context) is not null;
}
