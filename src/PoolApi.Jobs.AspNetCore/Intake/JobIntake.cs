using System.Globalization;
using PoolApi.AspNetCore;
using PoolApi.AspNetCore.Endpoints;
using PoolApi.AspNetCore.Events;
using PoolApi.Jobs.AspNetCore.Answers;
using PoolApi.Jobs.AspNetCore.Endpoints;
using PoolApi.Jobs.AspNetCore.Problems;
using PoolApi.Jobs.AspNetCore.Requests;
using PoolApi.Jobs.Running;
using PoolApi.Jobs.Stores;
using PoolApi.Threading;

namespace PoolApi.Jobs.AspNetCore.Intake;

/// <summary>
/// A request that is to become a job: what its headers ask for, and then the acceptance itself, once the endpoint has found
/// nothing wrong with it. Among the features of such a request.
/// </summary>
internal sealed class JobIntake(HttpContext context, Endpoint endpoint, JobsOptions options, Preference preference, string? idempotencyKey, JobParameters parameters)
    : IRequestStoreFeature
{
    /// <summary>
    /// A store that the network has cut off is found out by its own limits, one after another; the client is told before. Its job
    /// may come to be accepted all the same, as after any answer that gets lost.
    /// </summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(6);

    /// <summary>How long after a store could not be read it is tried again.</summary>
    private static readonly TimeSpan WatchPause = TimeSpan.FromSeconds(1);

    /// <summary>In the place of the handler: commits the job, and answers as was preferred.</summary>
    public async ValueTask<object?> StoreAsync()
    {
        try
        {
            return await CommitAsync();
        }
        catch (JobStoreUnavailableException)
        {
            return StoreUnavailable.Answer(context);
        }
    }

    private async Task<IResult> CommitAsync()
    {
        if (RefuseBody(context, options, context.Features.Get<IBufferedBodyFeature>()?.Body.Length) is { } refusal) return refusal;
        (IResult? tooMuch, JobAcceptance acceptance) = await CommitJobAsync();
        if (tooMuch is not null) return tooMuch;
        if (acceptance.Outcome == AcceptOutcome.OtherRequest) return IntakeRejections.KeyReused(context);
        if (acceptance.Outcome == AcceptOutcome.Created)
            context.RequestServices.GetRequiredService<JobInstruments>().Accepted(acceptance.Job.Kind);

        if (preference.RespondAsync) return await RespondAsync(acceptance.Job);
        if (acceptance.Outcome == AcceptOutcome.Existing && !acceptance.Job.State.IsFinal()) return IntakeRejections.KeyInProgress(context, acceptance.Job);
        // One that is claimed already is not left behind when the instance drains.
        return await AnswerOnceAsync(acceptance.Claim?.Job ?? acceptance.Job);
    }

    /// <summary>413 for a body that is larger than a job's may be.</summary>
    /// <param name="context">The request.</param>
    /// <param name="options">The limits.</param>
    /// <param name="length">The length of its body, as far as it is known.</param>
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

    /// <summary>Commits the job, and gives the body up: what waits for the job's end holds nothing of it, nor a copy of what else is kept.</summary>
    /// <remarks>
    /// In a method of its own, since an async method keeps its variables while it waits. An attempt that has been claimed with the job
    /// has the body in its own budget.
    /// </remarks>
    /// <returns>An answer, if more would be kept than may be.</returns>
    private async Task<(IResult? Refusal, JobAcceptance Acceptance)> CommitJobAsync()
    {
        ReadOnlyMemory<byte> body = context.Features.Get<IBufferedBodyFeature>()?.Body ?? default;
        RequestCapture capture = AllowJobsMetadata.CaptureOf(endpoint, options);
        var metadata = StoredMetadata.Of(context, capture);
        string text = metadata.ToText();
        if (RefuseCaptured(body.Length, metadata.CapturedBytes(text)) is { } refusal) return (refusal, default);
        NewJob job = ToJob(body, text, capture, AllowJobsMetadata.AttemptsOf(endpoint, options));
        JobAcceptance acceptance = await AcceptAsync(context.RequestServices.GetRequiredService<JobDispatchers>(), job);
        StoredRequestDelegates.Committed(context);
        return (null, acceptance with { Claim = acceptance.Claim?.WithoutBody() });
    }

    /// <summary>A store that does not answer is given up, and what has not begun is taken back.</summary>
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
            using var over = CancellationTokenSource.CreateLinkedTokenSource(
                context.RequestAborted, context.RequestServices.GetRequiredService<IHostApplicationLifetime>().ApplicationStopping);
            over.CancelAfter(time);
            job = await FollowAsync(job, static j => j.State.IsFinal(), over.Token);
        }
        preference.TellApplied(context.Response);
        try
        {
            if (preference.Wait is not null && job.State.IsFinal()) return await AnswerAsync(job);
        }
        catch (JobStoreUnavailableException)
        {
            // The job is accepted, whatever becomes of the waiting.
        }
        return JobResults.Accepted(context, job);
    }

    /// <summary>A key without respond-async: the job is only what makes the request happen once; its answer is the request's.</summary>
    private async Task<IResult> AnswerOnceAsync(Job job)
    {
        if (!job.State.IsFinal())
        {
            CancellationToken draining = context.RequestServices.GetRequiredService<IPoolLifetime>().Draining;
            using (var over = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, draining))
                job = await FollowAsync(job, static j => j.State.IsFinal(), over.Token);
            // What runs when the pool takes no more is finished all the same, or handed back.
            if (!job.State.IsFinal()) job = await FollowAsync(job, static j => j.State != JobState.Running, context.RequestAborted);
            if (!job.State.IsFinal()) return IntakeRejections.Draining(context);
        }
        return await AnswerAsync(job);
    }

    /// <summary>The job as soon as it is so, or as it was last seen when there is no time left. A store that is away for a while is waited for.</summary>
    private async Task<Job> FollowAsync(Job job, Predicate<Job> isSo, CancellationToken over)
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
                    if (isSo(job)) break;
                }
                break; // or it is gone
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

    private Task<IResult> AnswerAsync(Job job) =>
        JobResults.ReadAsync(context, context.RequestServices.GetRequiredService<IJobStore>(), job.Id, withLocation: true);

    private NewJob ToJob(ReadOnlyMemory<byte> body, string metadata, RequestCapture capture, int maxAttempts)
    {
        HttpRequest request = context.Request;
        return new NewJob
        {
            Kind = JobKinds.KindOf(endpoint),
            Client = JobAccess.ClientOf(context),
            // Somebody waits for the answer of a request that did not ask for a job.
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
