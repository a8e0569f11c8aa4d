using PoolApi.Jobs.Running;

namespace PoolApi.Jobs.AspNetCore;

/// <summary>
/// The attempt of a job, for the handler that runs it: a parameter <c>JobContext?</c>, which is <see langword="null"/> where the request is no
/// job.
/// </summary>
public sealed class JobContext : IProgress<double>
{
    private readonly JobAttempt _attempt;

    private JobContext(JobAttempt attempt) => _attempt = attempt;

    /// <summary>The job's id.</summary>
    public Guid Id => _attempt.Claim.Job.Id;

    /// <summary>Which attempt this is, from 1.</summary>
    public int Attempt => _attempt.Claim.Job.Attempt;

    /// <summary>How many attempts the job has.</summary>
    public int MaxAttempts => _attempt.Claim.Job.MaxAttempts;

    /// <summary>How far the attempt is, 0 to 1. Clients see it in the job.</summary>
    public IProgress<double> Progress => this;

    /// <summary>Binds the parameter of a handler.</summary>
    /// <param name="context">The request, or what was stored of one.</param>
    public static ValueTask<JobContext?> BindAsync(HttpContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        return ValueTask.FromResult(context.Features.Get<JobAttempt>() is { } attempt ? new JobContext(attempt) : null);
    }

    /// <summary>Reports the progress of the attempt. Cheap: the store is written ten times a second at most. Thread-safe.</summary>
    /// <param name="value">0 to 1.</param>
    /// <exception cref="ArgumentOutOfRangeException">It is not within 0 to 1.</exception>
    public void Report(double value) => _attempt.Report(value);
}
