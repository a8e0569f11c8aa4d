using PoolApi.Jobs.Stores;
using PoolApi.Threading;

namespace PoolApi.Jobs.AspNetCore;

/// <summary>Makes jobs from code: for what an app runs without being asked by a request. A service of every app with <c>AddJobs</c>.</summary>
public interface IJobs
{
    /// <summary>Stores a job for the handler of the payload's type (<c>AddJob</c>). When this returns, the job is committed.</summary>
    /// <param name="payload">What the handler is given. Stored as JSON, by the app's options for JSON over HTTP.</param>
    /// <param name="options">When and how it runs.</param>
    /// <param name="cancellationToken">Gives up. The job may be stored anyway.</param>
    /// <returns>The job; an existing one if there is one under the same <see cref="EnqueueOptions.IdempotencyKey"/>.</returns>
    /// <exception cref="InvalidOperationException">No handler has this type, or several have and none is named.</exception>
    /// <exception cref="ArgumentException">An option is out of its range, or the payload is too large.</exception>
    /// <exception cref="IdempotencyKeyReusedException">The key belongs to another payload. Nothing was stored.</exception>
    /// <exception cref="JobStoreUnavailableException">The store cannot be used for now.</exception>
    ValueTask<Job> EnqueueAsync<T>(T payload, EnqueueOptions? options = null, CancellationToken cancellationToken = default)
        where T : notnull;

    /// <summary>The job as it is now.</summary>
    /// <param name="id">The job.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <returns><see langword="null"/> if there is none.</returns>
    /// <exception cref="JobStoreUnavailableException">The store cannot be used for now.</exception>
    ValueTask<Job?> GetAsync(Guid id, CancellationToken cancellationToken = default);

    /// <summary>Waits until a job has ended, wherever it runs.</summary>
    /// <param name="id">The job.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <returns>The job in its final state; <see langword="null"/> if there is none.</returns>
    /// <exception cref="JobStoreUnavailableException">The store cannot be used for now.</exception>
    ValueTask<Job?> WaitAsync(Guid id, CancellationToken cancellationToken = default);
}

/// <summary>When and how a job from code runs.</summary>
public sealed class EnqueueOptions
{
    /// <summary>The kind of the handler; needed where several handlers have the payload's type.</summary>
    public string? Kind { get; set; }

    /// <summary>Makes the job once: a second call with the same key gets the first one's job. 1 to 255 visible ASCII characters.</summary>
    public string? IdempotencyKey { get; set; }

    /// <summary>Which of the jobs that are due goes first.</summary>
    public WorkPriority Priority { get; set; }

    /// <summary>The job does not start before this time. Not set: it may start at once.</summary>
    public DateTimeOffset? RunAt { get; set; }

    /// <summary>The job expires if it has not ended this long after it is due, 1 second to 7 days. Not set: the job has no deadline.</summary>
    public TimeSpan? Timeout { get; set; }

    /// <summary>Words to find the job by: up to 16, each of 1 to 64 ASCII letters, digits, '-', '_', '.', ':' or '/'. The job has each once, sorted.</summary>
    public IReadOnlyList<string> Tags { get; set; } = [];

    /// <summary>The client whose job it is, as <see cref="JobsOptions.Client"/> names clients. Not set: no client's.</summary>
    public string? Client { get; set; }
}

/// <summary>An idempotency key belongs to a job with another payload.</summary>
/// <param name="key">The key.</param>
public sealed class IdempotencyKeyReusedException(string key)
    : InvalidOperationException($"The idempotency key '{key}' belongs to a job with another payload. Nothing was stored.")
{
    /// <summary>The key.</summary>
    public string Key { get; } = key;
}
