using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Http.Json;
using Microsoft.Extensions.Options;
using PoolApi.Jobs.AspNetCore.Endpoints;
using PoolApi.Jobs.AspNetCore.Intake;
using PoolApi.Jobs.AspNetCore.Requests;
using PoolApi.Jobs.AspNetCore.Telemetry;
using PoolApi.Jobs.Running;
using PoolApi.Jobs.Stores;

namespace PoolApi.Jobs.AspNetCore.Handlers;

/// <summary>Stores jobs from code, as the requests that their handlers' endpoints run.</summary>
internal sealed class JobEnqueuer(
    IEnumerable<JobHandler> handlers, JobKinds kinds, JobDispatchers dispatchers, IJobStore store, JobWatch watch,
    IOptions<JobsOptions> options, IOptions<JsonOptions> json, TimeProvider? time = null) : IJobs
{
    public async ValueTask<Job> EnqueueAsync<T>(T payload, EnqueueOptions? options, CancellationToken cancellationToken)
        where T : notnull
    {
        ArgumentNullException.ThrowIfNull(payload);
        string kind = FindKind(typeof(T), options?.Kind);
        using Activity? span = JobSpans.Send(kind);
        NewJob job = ToJob(kind, payload, options ?? new EnqueueOptions());
        JobAcceptance acceptance = await dispatchers.AcceptAsync(job, isWaitedFor: false, cancellationToken);
        span.Sent(acceptance.Job);
        if (acceptance.Outcome == AcceptOutcome.OtherRequest) throw new IdempotencyKeyReusedException(job.Idempotency!.Key);
        return acceptance.Job;
    }

    public ValueTask<Job?> GetAsync(Guid id, CancellationToken cancellationToken) => store.GetAsync(id, cancellationToken);

    public async ValueTask<Job?> WaitAsync(Guid id, CancellationToken cancellationToken)
    {
        await foreach (Job now in watch.WatchAsync(id, 0, cancellationToken))
        {
            if (now.State.IsFinal()) return now;
        }
        return null;
    }

    private string FindKind(Type payload, string? named)
    {
        string[] found = [.. handlers.Where(h => h.Payload == payload && (named is null || h.Kind == named)).Select(static h => h.Kind)];
        return found.Length switch
        {
            1 => found[0],
            0 => throw new InvalidOperationException(
                $"No handler runs jobs of {payload.Name}{(named is null ? "" : $" and the kind '{named}'")}: call AddJob(\"…\", ({payload.Name} payload) => …)."),
            _ => throw new InvalidOperationException($"Several handlers run jobs of {payload.Name}: name one in {nameof(EnqueueOptions)}.{nameof(EnqueueOptions.Kind)}. They are: {string.Join(", ", found)}."),
        };
    }

    private NewJob ToJob<T>(string kind, T payload, EnqueueOptions asked)
    {
        Check(asked);
        byte[] body = JsonSerializer.SerializeToUtf8Bytes(payload, json.Value.SerializerOptions.GetTypeInfo(typeof(T)));
        if (body.Length > options.Value.MaxPayloadBytes)
        {
            throw new ArgumentException(
                string.Create(CultureInfo.InvariantCulture, $"The payload has {body.Length} bytes as JSON; it may have up to {options.Value.MaxPayloadBytes}."), nameof(payload));
        }
        return new NewJob
        {
            Kind = kind,
            Client = asked.Client,
            Priority = asked.Priority,
            Tags = [.. asked.Tags],
            RunAt = asked.RunAt is { } at && at > (time ?? TimeProvider.System).GetUtcNow() ? at : null, // a past time means now, for the timeout too
            Timeout = asked.Timeout,
            MaxAttempts = AllowJobsMetadata.AttemptsOf(kinds.Find(kind, HttpMethods.Post)!, options.Value),
            Payload = new StoredRequest(HttpMethods.Post, "/", "", "application/json", body, StoredMetadata.OfCode().ToText()).ToPayload(),
            Idempotency = asked.IdempotencyKey is { } key ? new IdempotencyKey(key, SHA256.HashData([.. Encoding.UTF8.GetBytes(kind), 0, .. body])) : null,
        };
    }

    private static void Check(EnqueueOptions asked)
    {
        if (asked.IdempotencyKey is { } key && !IdempotencyKeyHeader.IsKey(key))
            throw new ArgumentException($"{nameof(EnqueueOptions.IdempotencyKey)} must be {IdempotencyKeyHeader.Rule}.", nameof(asked));
        if (!Enum.IsDefined(asked.Priority))
            throw new ArgumentException($"{nameof(EnqueueOptions.Priority)} must be Low, Normal or High.", nameof(asked));
        if (asked.Timeout < TimeSpan.FromSeconds(1) || asked.Timeout > TimeSpan.FromSeconds(JobParameters.MaxTimeout))
            throw new ArgumentException($"{nameof(EnqueueOptions.Timeout)} must be 1 second to 7 days.", nameof(asked));
        if (asked.Tags.Count > JobTags.MaxCount || !asked.Tags.All(JobTags.IsTag))
            throw new ArgumentException($"{nameof(EnqueueOptions.Tags)} must be up to {JobTags.MaxCount} tags, each of {JobTags.Rule}.", nameof(asked));
    }
}
