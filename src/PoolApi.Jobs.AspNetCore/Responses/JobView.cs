using System.ComponentModel;
using System.Text.Json;
using System.Text.Json.Serialization;
using PoolApi.Jobs.AspNetCore.Requests;

namespace PoolApi.Jobs.AspNetCore.Responses;

/// <summary>A job as clients see it. The members are written in this order.</summary>
[JsonNumberHandling(JsonNumberHandling.Strict)]
[Description("A job as it is at one moment. Times are in UTC.")]
internal sealed record JobView
{
    [Description("The job's id. Ids sort by the time of acceptance.")]
    public required Guid Id { get; init; }

    [Description("What it runs: the kind that AllowJobs or AddJob names, otherwise the route without its version.")]
    public required string Kind { get; init; }

    [Description("The state; succeeded, failed, cancelled and expired are final unless the job is retried.")]
    public required string State { get; init; }

    [Description("How many attempts have begun, the running one included.")]
    public required int Attempt { get; init; }

    [Description("Which of the jobs that are due runs first.")]
    public required string Priority { get; init; }

    [Description("The words by which the client finds the job.")]
    public required IReadOnlyList<string> Tags { get; init; }

    [Description("When it was accepted.")]
    public required string CreatedAt { get; init; }

    [Description("When the latest attempt began.")]
    public required string? StartedAt { get; init; }

    [Description("When it reached a final state.")]
    public required string? FinishedAt { get; init; }

    [Description("The progress of the running attempt, 0 to 1; null if it reports none.")]
    public required double? Progress { get; init; }

    [Description("The instance that runs the job, or ran it last.")]
    public required string? Worker { get; init; }

    [Description("What went wrong in the latest attempt that ended; null after a success.")]
    public required JobErrorView? Error { get; init; }

    [Description("Where the job, its result and its events are.")]
    public required JobLinksView Links { get; init; }

    [Description("How many attempts it has.")]
    public required int MaxAttempts { get; init; }

    [Description("It does not begin before this time.")]
    public required string RunAt { get; init; }

    [Description("It expires if it has not ended by this time; null: it has no deadline.")]
    public required string? Deadline { get; init; }

    [Description("Its cancellation was requested, and it has not stopped yet.")]
    public required bool CancelRequested { get; init; }

    [Description("Grows with every change. It is the ETag of the job and the id of its event.")]
    public required long Version { get; init; }

    [Description("The attempts that have begun, the oldest first: the running or last one, and before it at most 20. Only a job by itself has them; a list leaves them out.")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<JobAttemptView>? Attempts { get; init; }

    /// <summary>A job by itself.</summary>
    public static JobView Of(Job job, JobLinks links) => InList(job, links) with { Attempts = JobAttemptView.AllOf(job) };

    /// <summary>A job among others.</summary>
    public static JobView InList(Job job, JobLinks links) => new()
    {
        Id = job.Id,
        Kind = job.Kind,
        State = job.State.ToWord(),
        Attempt = job.Attempt,
        Priority = job.Priority.ToWord(),
        Tags = job.Tags,
        CreatedAt = Rfc3339.ToText(job.CreatedAt),
        StartedAt = ToText(job.StartedAt),
        FinishedAt = ToText(job.FinishedAt),
        Progress = job.Progress,
        Worker = job.Worker,
        Error = job.Error is { } error ? new JobErrorView(error.Name, error.Detail) : null,
        Links = new JobLinksView(links.Self(job.Id), links.Result(job.Id), links.Events(job.Id)),
        MaxAttempts = job.MaxAttempts,
        RunAt = Rfc3339.ToText(job.RunAt),
        Deadline = ToText(job.Deadline),
        CancelRequested = job.IsCancelRequested,
        Version = job.Version,
    };

    private static string? ToText(DateTimeOffset? time) => time is { } known ? Rfc3339.ToText(known) : null;
}

/// <summary>An attempt of a job.</summary>
[Description("An attempt of a job. Times are in UTC.")]
internal sealed record JobAttemptView
{
    [Description("Which attempt it is, from 1. One that was handed back does not count: the next has the same number.")]
    public required int Attempt { get; init; }

    [Description("When an instance claimed the job for it.")]
    public required string StartedAt { get; init; }

    [Description("When it ended; null: it runs.")]
    public required string? EndedAt { get; init; }

    [Description("The instance that has or had it.")]
    public required string? Worker { get; init; }

    [Description(
        "How it ended; null: it runs. succeeded, failed, cancelled or expired: the job ended with it. retried: it failed, and there is another. "
        + "handed-back: its instance stopped, or had no free worker. lost: its instance died, or did not renew its lease.")]
    public required string? Outcome { get; init; }

    [Description("What went wrong in it.")]
    public required JobErrorView? Error { get; init; }

    /// <summary>The attempts that the store has kept, and the running or last one. Costs no read: they are in the job's row.</summary>
    public static IReadOnlyList<JobAttemptView> AllOf(Job job)
    {
        var all = new List<JobAttemptView>(job.Earlier.Count + 1);
        foreach (PastAttempt attempt in job.Earlier)
        {
            // The others are ends of the job while it was queued.
            if (attempt.StartedAt is { } started) all.Add(Of(attempt.Number, started, attempt.EndedAt, attempt.Worker, attempt.Outcome.ToWord(), attempt.Error));
        }
        bool hasEnded = job.State.IsFinal();
        if ((hasEnded || job.State == JobState.Running) && PastAttempts.HasLatestApart(job))
            all.Add(Of(job.Attempt, job.StartedAt!.Value, job.FinishedAt, job.Worker, hasEnded ? job.State.ToWord() : null, hasEnded ? job.Error : null));
        return all;
    }

    private static JobAttemptView Of(int number, DateTimeOffset started, DateTimeOffset? ended, string? worker, string? outcome, JobError? error) => new()
    {
        Attempt = number,
        StartedAt = Rfc3339.ToText(started),
        EndedAt = ended is { } known ? Rfc3339.ToText(known) : null,
        Worker = worker,
        Outcome = outcome,
        Error = error is null ? null : new JobErrorView(error.Name, error.Detail),
    };
}

/// <summary>What went wrong, in words for the client.</summary>
[Description("What went wrong.")]
internal sealed record JobErrorView(
    [property: Description("The problem's name.")] string Name,
    [property: Description("What went wrong, and what the client can do.")] string Detail);

/// <summary>The links of a job.</summary>
[Description("References relative to the URL of the request.")]
internal sealed record JobLinksView(string Self, string Result, string Events);

/// <summary>A page of the list.</summary>
[Description("Jobs, the newest first.")]
internal sealed record JobListView(
    IReadOnlyList<JobView> Jobs,
    [property: Description("Where the next page is, relative to the URL of the request; null: this is the last.")] string? Next);

/// <summary>The types that the routes of jobs write.</summary>
[JsonSerializable(typeof(JobView))]
[JsonSerializable(typeof(JobListView))]
[JsonSerializable(typeof(Dictionary<string, string[]>))]
[JsonSourceGenerationOptions(JsonSerializerDefaults.Web)]
internal sealed partial class JobJson : JsonSerializerContext
{
    public static JobJson Readable { get; } = new(ReadableJson.NewOptions());
}
