using System.Diagnostics;
using System.Globalization;
using PoolApi.AspNetCore;
using PoolApi.AspNetCore.Endpoints;
using PoolApi.AspNetCore.Events;
using PoolApi.Jobs.AspNetCore.Responses;
using PoolApi.Jobs.AspNetCore.Endpoints;
using PoolApi.Jobs.AspNetCore.Problems;
using PoolApi.Jobs.AspNetCore.Requests;
using PoolApi.Jobs.AspNetCore.Telemetry;
using PoolApi.Jobs.Running;
using PoolApi.Jobs.Stores;
using PoolApi.Threading;

namespace PoolApi.Jobs.AspNetCore.Intake;

/// <summary>
/// A request that becomes a job: it holds what the headers ask for, commits the job once the endpoint has found nothing wrong with the
/// request, and answers the client. One of the features of such a request.
/// </summary>
internal sealed class JobRequest(HttpContext context, Endpoint endpoint, JobsOptions options, Preference preference, string? idempotencyKey, JobParameters parameters)
    : IRequestStoreFeature
{
    /// <summary>
    /// How long the client waits for the store. A store that the network has cut off fails by its own timeouts, which add up to more. The job
    /// may be accepted anyway, as after any response that is lost.
    /// </summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(6);

    /// <summary>The pause before a store that could not be read is read again.</summary>
    private static readonly TimeSpan WatchPause = TimeSpan.FromSeconds(1);

    private long _received; // a timestamp
    private JobAcceptance? _committed; // null: not yet

    private TimeProvider Clock => context.RequestServices.GetService<TimeProvider>() ?? TimeProvider.System;

    private IJobStore Store => context.RequestServices.GetRequiredService<IJobStore>();

    /// <summary>Runs in place of the handler: commits the job, and answers as the client prefers.</summary>
    public async ValueTask<object?> StoreAsync()
    {
        try
        {
            return await CommitAsync();
        }
        catch (JobStoreUnavailableException)
        {
            return StoreUnavailable.Response(context);
        }
    }

    private async Task<IResult> CommitAsync()
    {
        // An endpoint filter may call this again. It gets the same job, because the body is released by then.
        if (_committed is null)
        {
            _received = Clock.GetTimestamp(); // the body is read by now; the client's wait includes the commit
            if (RefuseBody(context, options, context.Features.Get<IBufferedBodyFeature>()?.Body.Length) is { } refusal) return refusal;
            (IResult? tooMuch, JobAcceptance made) = await CommitJobAsync();
            if (tooMuch is not null) return tooMuch;
            _committed = made;
        }
        JobAcceptance acceptance = _committed.Value;
        if (acceptance.Outcome == AcceptOutcome.OtherRequest) return IntakeRejections.KeyReused(context);

        if (preference.RespondAsync) return await RespondAsync(acceptance.Job);
        if (acceptance.Outcome == AcceptOutcome.Existing && !acceptance.Job.State.IsFinal()) return IntakeRejections.KeyInProgress(context, acceptance.Job);
        // If the job was claimed as it was accepted, the claim has its newer version, which runs on this instance. While the instance drains,
        // AnswerOnceAsync waits only for jobs that run here.
        return await AnswerOnceAsync(acceptance.Claim?.Job ?? acceptance.Job);
    }

    /// <summary>413 for a body that is larger than a job's may be.</summary>
    /// <param name="context">The request.</param>
    /// <param name="options">The limits.</param>
    /// <param name="length">The length of its body, if it is known.</param>
    public static JobProblem? RefuseBody(HttpContext context, JobsOptions options, long? length)
    {
        if (length is null || length <= options.MaxPayloadBytes) return null;
        string fault = string.Create(CultureInfo.InvariantCulture, $"The body of a job may have up to {options.MaxPayloadBytes} bytes.");
        return JobProblem.OfField(context, CommonProblems.PayloadTooLarge, "body", fault);
    }

    /// <summary>431 for headers and a user that are more than may be kept; 413 if they leave no room for the body.</summary>
    private JobProblem? RefuseCaptured(long body, int captured)
    {
        if (captured > StoredMetadata.MaxCaptured)
        {
            string fault = string.Create(
                CultureInfo.InvariantCulture,
                $"What a job keeps of the headers and the user of its request may have up to {StoredMetadata.MaxCaptured} bytes; here it has {captured}.");
            return JobProblem.OfField(context, CommonProblems.InvalidRequest, "headers", fault, StatusCodes.Status431RequestHeaderFieldsTooLarge);
        }
        if (body + captured <= options.MaxPayloadBytes) return null;
        string together = string.Create(
            CultureInfo.InvariantCulture,
            $"The body of a job may have up to {options.MaxPayloadBytes} bytes, together with the {captured} bytes of its headers and its user that are kept.");
        return JobProblem.OfField(context, CommonProblems.PayloadTooLarge, "body", together);
    }

    /// <summary>Commits the job and releases the body: a request that waits for the result holds no memory of the body or of its stored copy.</summary>
    /// <remarks>
    /// It is a method of its own because an async method keeps its variables while it waits. If the job is claimed at once, the attempt counts
    /// the body in its own budget.
    /// </remarks>
    /// <returns>The refusal, if the stored request would be too large.</returns>
    private async Task<(IResult? Refusal, JobAcceptance Acceptance)> CommitJobAsync()
    {
        ReadOnlyMemory<byte> body = context.Features.Get<IBufferedBodyFeature>()?.Body ?? default;
        RequestCapture capture = AllowJobsMetadata.CaptureOf(endpoint, options);
        using Activity? span = JobSpans.Send(JobKinds.KindOf(endpoint));
        var metadata = StoredMetadata.Of(context, capture);
        string text = metadata.ToText();
        if (RefuseCaptured(body.Length, metadata.CapturedBytes(text)) is { } refusal) return (refusal, default);
        NewJob job = ToJob(body, text, capture, AllowJobsMetadata.AttemptsOf(endpoint, options));
        JobAcceptance acceptance = await AcceptAsync(context.RequestServices.GetRequiredService<JobDispatchers>(), job);
        span.Sent(acceptance.Job);
        StoredRequestDelegates.Committed(context);
        return (null, acceptance with { Claim = acceptance.Claim?.WithoutBody() });
    }

    /// <summary>Gives up on a store that does not answer. A write that has not begun is withdrawn.</summary>
    private async Task<JobAcceptance> AcceptAsync(JobDispatchers jobs, NewJob job)
    {
        using var late = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted);
        late.CancelAfter(Patience + TimeSpan.FromSeconds(job.Payload.Body.Length >> 20)); // a MiB takes a second at worst
        try
        {
            return await jobs.AcceptAsync(job, isWaitedFor: !preference.RespondAsync, late.Token).AsTask().WaitAsync(late.Token);
        }
        catch (OperationCanceledException) when (!context.RequestAborted.IsCancellationRequested)
        {
            throw new JobStoreUnavailableException("The job store does not answer.");
        }
    }

    private async Task<IResult> RespondAsync(Job job)
    {
        if (preference.Wait is { } time && time > TimeSpan.Zero)
        {
            TimeSpan left = time - Clock.GetElapsedTime(_received);
            using var limit = new CancellationTokenSource(left > TimeSpan.Zero ? left : TimeSpan.Zero, Clock);
            using var over = CancellationTokenSource.CreateLinkedTokenSource(
                context.RequestAborted, context.RequestServices.GetRequiredService<IHostApplicationLifetime>().ApplicationStopping, limit.Token);
            if (await FollowAsync(job, static j => j.State.IsFinal(), over.Token) is not { } latest) return JobRejections.Deleted(context);
            job = latest;
        }
        preference.SetApplied(context.Response);
        try
        {
            // Without room for the result now, the client learns at least that the job is accepted, and where it is.
            if (preference.Wait is not null && job.State.IsFinal() && await JobResults.TryReadAsync(context, Store, job.Id, ofOwnRequest: true) is { } result)
                return result;
        }
        catch (JobStoreUnavailableException)
        {
            // The job is accepted, even if its result cannot be read now.
        }
        return JobResults.Accepted(context, job);
    }

    /// <summary>A key without respond-async: the job exists only so that the request runs once. Its result answers the request.</summary>
    private async Task<IResult> AnswerOnceAsync(Job job)
    {
        if (!job.State.IsFinal())
        {
            CancellationToken draining = context.RequestServices.GetRequiredService<IPoolLifetime>().Draining;
            Job? latest;
            using (var over = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, draining))
                latest = await FollowAsync(job, static j => j.State.IsFinal(), over.Token);
            // The drain may begin before the watch returns the version that this instance has claimed, or the final one.
            if (latest?.State.IsFinal() == false) latest = await ReadAgainAsync(latest);
            // A job that this instance runs is finished, or handed back to the store. The stop does not wait for another instance.
            string here = context.RequestServices.GetRequiredService<JobDispatchers>().Owner;
            if (latest?.State.IsFinal() == false)
                latest = await FollowAsync(latest, j => j.State != JobState.Running || j.Worker != here, context.RequestAborted);
            // Not 503, which promises that the request runs once under its key: the store no longer has the key.
            if (latest is null) return JobRejections.Deleted(context);
            if (!latest.State.IsFinal()) return IntakeRejections.Draining(context);
        }
        return await JobResults.ReadAsync(context, Store, job.Id, ofOwnRequest: true);
    }

    /// <returns>The job as it is in the store, or the given version if the store is unavailable; <see langword="null"/> if the job is deleted.</returns>
    private async Task<Job?> ReadAgainAsync(Job job)
    {
        try
        {
            return await Store.GetAsync(job.Id, context.RequestAborted);
        }
        catch (JobStoreUnavailableException)
        {
            return job;
        }
    }

    /// <summary>Follows the job until the condition holds or the token is cancelled. While the store is unavailable, this tries again.</summary>
    /// <returns>The latest version that was read; <see langword="null"/> if the job is deleted.</returns>
    private async Task<Job?> FollowAsync(Job job, Predicate<Job> isSo, CancellationToken over)
    {
        ConnectionLiveness.Probe(context);
        var watch = context.RequestServices.GetRequiredService<JobWatch>();
        while (!isSo(job) && !over.IsCancellationRequested)
        {
            try
            {
                await foreach (Job now in watch.WatchAsync(job.Id, 0, over))
                {
                    job = now;
                    if (isSo(job)) return job;
                }
                return null; // each condition holds for the final state, so the watch has not ended for that
            }
            catch (OperationCanceledException) when (over.IsCancellationRequested)
            {
                break;
            }
            catch (JobStoreUnavailableException)
            {
                await Task.Delay(WatchPause, over).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
        context.RequestAborted.ThrowIfCancellationRequested();
        return job;
    }

    private NewJob ToJob(ReadOnlyMemory<byte> body, string metadata, RequestCapture capture, int maxAttempts)
    {
        HttpRequest request = context.Request;
        return new NewJob
        {
            Kind = JobKinds.KindOf(endpoint),
            Client = JobAccess.ClientOf(context),
            // A client that did not ask for a job waits for the response.
            Priority = preference.RespondAsync ? parameters.Priority : JobParameters.Lower(WorkPriority.High, JobAccess.MaxPriorityOf(context)),
            Tags = parameters.Tags,
            RunAt = preference.RespondAsync ? parameters.RunAt : null,
            Timeout = parameters.Timeout,
            MaxAttempts = maxAttempts,
            Payload = new StoredRequest(
                request.Method, request.Path.Value ?? "", request.QueryString.Value ?? "", request.ContentType, body, metadata).ToPayload(),
            Idempotency = idempotencyKey is null ? null : new IdempotencyKey(idempotencyKey, RequestFingerprint.Of(request, body.Span, capture.HeaderNames, capture.HasUser ? context.User : null)),
        };
    }
}
