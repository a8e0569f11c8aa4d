using System.Diagnostics;

namespace PoolApi.Jobs.AspNetCore.Telemetry;

/// <summary>The spans of jobs, by OpenTelemetry's conventions for messaging: a producer's where a job is accepted, a consumer's for each attempt.</summary>
internal static class JobSpans
{
    private static readonly ActivitySource Source = new(JobTelemetry.ActivitySourceName);

    /// <summary>Begins the span of an acceptance. The attempt's span is its child, or has a link to it. The span is current until it is disposed of.</summary>
    /// <returns>The span; <see langword="null"/>: the source has no listener, or none samples the span.</returns>
    public static Activity? Send(string kind) => Source.HasListeners()
        ? Source.StartActivity("send " + kind, ActivityKind.Producer, default(ActivityContext), Tags("send", kind))
        : null;

    /// <summary>Sets the id of the job on the span.</summary>
    public static void Sent(this Activity? span, Job job) => span?.SetTag("messaging.message.id", job.Id.ToString());

    /// <summary>
    /// Begins the span of an attempt. The first attempt of a job without a later start time is part of the trace that made the job. Any other
    /// attempt has a trace of its own, with a link.
    /// </summary>
    /// <remarks>The attempt has a trace id even if no listener records the span: the log and the client get the id.</remarks>
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
