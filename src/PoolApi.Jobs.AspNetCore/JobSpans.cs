using System.Diagnostics;

namespace PoolApi.Jobs.AspNetCore;

/// <summary>The spans of jobs, by OpenTelemetry's conventions for messaging: a producer's where a job is accepted, a consumer's for each attempt.</summary>
internal static class JobSpans
{
    private static readonly ActivitySource Source = new(JobTelemetry.ActivitySourceName);

    /// <summary>Accepts a job: the attempt's span is the child of this one, or has a link to it. Current until it is disposed of.</summary>
    /// <returns><see langword="null"/>: nobody listens.</returns>
    public static Activity? Send(string kind) => Source.HasListeners()
        ? Source.StartActivity("send " + kind, ActivityKind.Producer, default(ActivityContext), Tags("send", kind))
        : null;

    /// <summary>It was accepted.</summary>
    public static void Sent(this Activity? span, Job job) => span?.SetTag("messaging.message.id", job.Id.ToString());

    /// <summary>
    /// Begins an attempt. The first one, at once, is part of the trace that made the job. One that runs later or again has a trace of its own,
    /// with a link.
    /// </summary>
    /// <remarks>There is a trace also where nobody records it: the log and the client have its id.</remarks>
    public static Activity Process(JobClaim claim, string? traceParent)
    {
        Job job = claim.Job;
        bool isTraced = ActivityContext.TryParse(traceParent, null, isRemote: true, out ActivityContext sent);
        bool isChild = isTraced && claim.IsFirst && job.RunAt <= job.CreatedAt;
        string name = "process " + job.Kind;
        Activity span = Source.StartActivity(
            ActivityKind.Consumer,
            parentContext: isChild ? sent : default,
            tags: Tags("process", job.Kind),
            links: isTraced && !isChild ? [new ActivityLink(sent)] : null,
            name: name) ?? StartUnrecorded(name, isChild ? traceParent : null);
        span.SetTag("messaging.message.id", job.Id.ToString());
        span.SetTag("job.attempt", job.Attempt);
        return span;
    }

    private static KeyValuePair<string, object?>[] Tags(string operation, string kind) =>
    [
        new("messaging.system", "poolapi"), new("messaging.operation.name", operation), new("messaging.operation.type", operation), new("messaging.destination.name", kind),
    ];

    private static Activity StartUnrecorded(string name, string? parent)
    {
        var span = new Activity(name);
        if (parent is not null) span.SetParentId(parent);
        return span.Start();
    }
}
