using System.Diagnostics;
using System.Text.Json;
using Microsoft.Extensions.Options;
using PoolApi.AspNetCore.Endpoints;
using PoolApi.Jobs.AspNetCore.Responses;
using PoolApi.Jobs.AspNetCore.Endpoints;
using PoolApi.Jobs.AspNetCore.Intake;
using PoolApi.Jobs.AspNetCore.Problems;
using PoolApi.Jobs.AspNetCore.Telemetry;
using PoolApi.Jobs.Running;
using PoolApi.Threading;

namespace PoolApi.Jobs.AspNetCore.Replay;

/// <summary>
/// Runs a stored request through the endpoint that it was sent to, so that a job does what the request would have done: it is bound in the
/// same way, runs on a worker of the same pool, and its response is stored and not sent.
/// </summary>
internal sealed partial class StoredRequestRunner(
    JobKinds kinds, IServiceScopeFactory scopes, IOptions<JobsOptions> options, ILogger<StoredRequestRunner> logger, IHttpContextFactory? contexts = null)
    : IJobExecutor
{
    // The job's row and every event and list with the job contain its error, so it is short. The whole problem is in the result.
    private const int MostName = 100;
    private const int MostDetail = 2000;

    public async ValueTask<AttemptEnd> ExecuteAsync(JobAttempt attempt, CancellationToken cancellation)
    {
        Job job = attempt.Claim.Job;
        var request = StoredRequest.Of(attempt.Claim.Payload);
        // The job is tried again: while instances of two versions share a store, another instance may have the work.
        if (kinds.Find(job.Kind, request.Method) is not { } endpoint)
        {
            AttemptEnd unknown = Failed(
                JobProblems.UnknownKind.Name,
                "No instance that tried this job runs jobs of its kind. The kind may have been renamed or removed since the job was accepted.");
            return unknown with { MayRetry = true };
        }

        StoredMetadata metadata;
        try
        {
            metadata = StoredMetadata.Parse(request.Metadata);
        }
        catch (JsonException e)
        {
            LogUnreadable(e, job.Id, job.Kind);
            return Failed(CommonProblems.InternalError.Name, "This version cannot read the stored request. Nothing has run.");
        }
        using Activity span = JobSpans.Process(attempt.Claim, metadata.TraceParent);
        attempt.TraceId = span.TraceId;
        await using var stored = new StoredRequestContext(attempt, request, metadata, endpoint, scopes, contexts, options.Value.MaxResultBytes, logger, cancellation);
        AttemptEnd end = await RunAsync(stored, endpoint, job, span, cancellation);
        // However the attempt has ended, its code may still run.
        return end with { CodeEnds = stored.CodeEnds };
    }

    private async Task<AttemptEnd> RunAsync(StoredRequestContext stored, Endpoint endpoint, Job job, Activity span, CancellationToken cancellation)
    {
        try
        {
            await endpoint.Metadata.GetRequiredMetadata<StoredRequestDelegates>().Run(stored.Http);
            await stored.EndAsync();
        }
        catch (Exception) when (stored.IsTooLarge) // the work may have wrapped the exception of its write
        {
            span.SetStatus(ActivityStatusCode.Error);
            return Failed(JobProblems.ResultTooLarge.Name, ResultTooLargeException.TextOf(options.Value.MaxResultBytes) + " Ask for a smaller one.");
        }
        catch (Exception e) when (e is not OperationCanceledException || !cancellation.IsCancellationRequested)
        {
            // The work was stopped, or did not run: what an endpoint filter made of the pool's own response does not count.
            if (stored.IsRefused || stored.Outcome is not (null or WorkOutcome.Completed or WorkOutcome.Failed or WorkOutcome.TimedOut))
                return AttemptEnd.Stopped;
            span.SetStatus(ActivityStatusCode.Error);
            string trace = span.TraceId.ToString();
            LogFailed(e, job.Id, job.Kind, job.Attempt, job.MaxAttempts, trace);
            return new AttemptEnd(
                AttemptOutcome.Failed,
                JobRejections.FailedIn(stored.Http, job, stored.HasStarted, trace),
                JobRejections.FailedIn(stored.HasStarted, trace),
                MayRetry: true);
        }
        catch (OperationCanceledException)
        {
            return AttemptEnd.Stopped;
        }
        return stored.Outcome switch
        {
            // Without an outcome, the endpoint itself has answered before its work began: it refuses the request, such as an image beyond a
            // limit, or an endpoint filter has answered in place of the handler.
            WorkOutcome.Completed or null when !stored.IsRefused => stored.IsAborted ? Aborted : Answered(stored.Result),
            // An endpoint filter has answered the exception of the work. If the attempt was stopped meanwhile, its response may be truncated.
            WorkOutcome.Failed when !cancellation.IsCancellationRequested => stored.IsAborted ? Aborted : Answered(stored.Result),
            WorkOutcome.TimedOut => TimedOut(stored.Result),
            _ => AttemptEnd.Stopped,
        };
    }

    /// <summary>The work has called <see cref="HttpContext.Abort"/>: a client would have seen an incomplete response.</summary>
    private static AttemptEnd Aborted { get; } = new(
        AttemptOutcome.Failed, null, new JobError(CommonProblems.WorkFailed.Name, "The work aborted its own response."), MayRetry: true);

    /// <summary>The response of the work itself: a success or a failure.</summary>
    private static AttemptEnd Answered(JobResult result)
    {
        if (result.Status < 400) return new AttemptEnd(AttemptOutcome.Succeeded, result, null, MayRetry: false);
        // A fault of the request would recur in the next attempt.
        return new AttemptEnd(AttemptOutcome.Failed, result, ErrorOf(result), MayRetry: result.Status >= 500);
    }

    /// <summary>The work ran for longer than it may. What it has written of a response does not count.</summary>
    private static AttemptEnd TimedOut(JobResult result)
    {
        AttemptEnd answered = Answered(result);
        string name = CommonProblems.RunTimeout.Name;
        return answered.Error?.Name == name ? answered : Failed(name, "The work ran for longer than it may.") with { MayRetry = true };
    }

    private static JobError ErrorOf(JobResult result)
    {
        if (result.ContentType?.StartsWith("application/problem+json", StringComparison.OrdinalIgnoreCase) == true)
        {
            try
            {
                using JsonDocument problem = JsonDocument.Parse(result.Body);
                if (ProblemType.NameOf(TextOf(problem.RootElement, "type")) is { } name)
                    return new JobError(TextTruncation.Truncate(name, MostName), TextTruncation.Truncate(TextOf(problem.RootElement, "detail") ?? "", MostDetail));
            }
            catch (JsonException)
            {
                // A problem that cannot be read has no name to pass on.
            }
        }
        return new JobError(CommonProblems.WorkFailed.Name, $"The work answered {result.Status}.");
    }

    /// <summary>A text of an object; <see langword="null"/> if there is none. The app may have written any JSON.</summary>
    private static string? TextOf(JsonElement json, string name)
    {
        try
        {
            return json.ValueKind == JsonValueKind.Object && json.TryGetProperty(name, out JsonElement text) && text.ValueKind == JsonValueKind.String
                ? text.GetString()
                : null;
        }
        catch (InvalidOperationException)
        {
            return null; // no UTF-8, or half of a surrogate pair
        }
    }

    private static AttemptEnd Failed(string name, string detail) => new(AttemptOutcome.Failed, null, new JobError(name, detail), MayRetry: false);

    [LoggerMessage(40, LogLevel.Error, "Job {id} ({kind}) failed in attempt {attempt} of {attempts} (trace {traceId})")]
    private partial void LogFailed(Exception exception, Guid id, string kind, int attempt, int attempts, string traceId);

    [LoggerMessage(44, LogLevel.Error, "Job {id} ({kind}) cannot be run: what was kept of its request cannot be read")]
    private partial void LogUnreadable(Exception exception, Guid id, string kind);
}
