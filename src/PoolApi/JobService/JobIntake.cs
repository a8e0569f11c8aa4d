using System.Diagnostics;
using System.Globalization;
using PoolApi.AspNetCore.Endpoints;
using PoolApi.JobRoutes;
using PoolApi.Jobs;
using PoolApi.Jobs.Running;
using PoolApi.Jobs.Stores;
using PoolApi.Problems;
using PoolApi.Threading;

namespace PoolApi.JobService;

/// <summary>
/// A request that is to become a job: what its headers ask for, and then the acceptance itself, once the endpoint has found
/// nothing wrong with it. Among the features of such a request.
/// </summary>
internal sealed class JobIntake(HttpContext context, string kind, Preference preference, string? idempotencyKey, JobParameters parameters)
{
    /// <summary>
    /// A store that the network has cut off is found out by its own limits, one after another; the client is told before. Its job
    /// may come to be accepted all the same, as after any answer that gets lost.
    /// </summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(6);

    /// <summary>In the place of the handler: commits the job, and answers as was preferred.</summary>
    public async ValueTask<object?> AcceptAsync()
    {
        try
        {
            return await CommitAsync();
        }
        catch (Exception e) when (e is JobStoreUnavailableException or TimeoutException)
        {
            return StoreUnavailable.Answer(context);
        }
    }

    private async Task<IResult> CommitAsync()
    {
        IServiceProvider services = context.RequestServices;
        var settings = services.GetRequiredService<JobSettings>();
        IBufferedBodyFeature? buffered = context.Features.Get<IBufferedBodyFeature>();
        ReadOnlyMemory<byte> body = buffered?.Body ?? default;
        if (body.Length > settings.MaxPayloadBytes)
        {
            return Problem.Of(
                context, StatusCodes.Status413PayloadTooLarge,
                string.Create(CultureInfo.InvariantCulture, $"The body of a job may have up to {settings.MaxPayloadBytes} bytes."));
        }
        NewJob job = ToJob(body, settings.MaxAttempts);
        JobAcceptance acceptance =
            await services.GetRequiredService<IJobStore>().AcceptAsync(job, context.RequestAborted).AsTask().WaitAsync(Patience);
        // It is in the store now: while the client waits for the job's end, nothing waits with it in memory.
        buffered?.Release();
        if (acceptance.Outcome == AcceptOutcome.OtherRequest) return IntakeProblems.KeyReused(context);
        if (acceptance.Outcome == AcceptOutcome.Created) services.GetRequiredService<JobInstruments>().Accepted(job.Kind);

        if (preference.RespondAsync) return await RespondAsync(acceptance.Job);
        if (acceptance.Outcome == AcceptOutcome.Existing && !acceptance.Job.State.IsFinal()) return IntakeProblems.KeyInProgress(context, acceptance.Job);
        return await AnswerOnceAsync(acceptance.Job);
    }

    private async Task<IResult> RespondAsync(Job job)
    {
        if (preference.Wait is { } time && time > TimeSpan.Zero && !job.State.IsFinal()) job = await WaitAsync(job, time);
        preference.TellApplied(context.Response);
        return preference.Wait is not null && job.State.IsFinal() ? await AnswerAsync(job) : JobResults.Accepted(context, job);
    }

    /// <summary>A key without respond-async: the job is only what makes the request happen once; its answer is the request's.</summary>
    private async Task<IResult> AnswerOnceAsync(Job job)
    {
        if (!job.State.IsFinal())
        {
            context.RequestServices.GetRequiredService<JobDispatcher>().Hurry();
            job = await WaitAsync(job, Timeout.InfiniteTimeSpan);
        }
        return await AnswerAsync(job);
    }

    private async Task<Job> WaitAsync(Job job, TimeSpan time)
    {
        try
        {
            return await context.RequestServices.GetRequiredService<JobWatch>().WaitAsync(job.Id, time, context.RequestAborted) ?? job;
        }
        catch (JobStoreUnavailableException)
        {
            // The job is accepted, whatever becomes of the waiting.
            return job;
        }
    }

    private async Task<IResult> AnswerAsync(Job job)
    {
        JobWithResult? ended = await context.RequestServices.GetRequiredService<IJobStore>().GetResultAsync(job.Id, context.RequestAborted);
        return ended is null ? JobProblems.None(context) : JobResults.Of(context, ended, withLocation: true);
    }

    private NewJob ToJob(ReadOnlyMemory<byte> body, int maxAttempts)
    {
        HttpRequest request = context.Request;
        return new NewJob
        {
            Kind = kind,
            Client = JobAccess.ClientOf(context),
            // Somebody waits for the answer of a request that did not ask for a job.
            Priority = preference.RespondAsync ? parameters.Priority : WorkPriority.High,
            Tags = parameters.Tags,
            RunAt = preference.RespondAsync ? parameters.RunAt : null,
            Timeout = parameters.Timeout,
            MaxAttempts = maxAttempts,
            Payload = new JobPayload(
                request.Method, request.Path.Value ?? "", request.QueryString.Value ?? "", request.ContentType, body, Activity.Current?.Id),
            Idempotency = idempotencyKey is null ? null : new IdempotencyKey(idempotencyKey, RequestFingerprint.Of(request, body.Span)),
        };
    }
}
