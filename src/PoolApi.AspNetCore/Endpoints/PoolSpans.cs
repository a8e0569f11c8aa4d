using System.Diagnostics;
using PoolApi.Threading;

namespace PoolApi.AspNetCore.Endpoints;

/// <summary>The spans of a request's way through a pool.</summary>
/// <remarks>
/// <code>
///   POST /render        the server's span
///     ├─ wait cpu       from the acceptance to the start
///     └─ run render     from the start to the end; what the handler calls is below it
/// </code>
/// The span of the queue is created when the request leaves the queue: on the worker, or, if the work never ran, where the work has ended.
/// Without a listener no span is created, and the check for one reads one field.
/// </remarks>
internal static class PoolSpans
{
    private static readonly ActivitySource Source = new(
        PoolTelemetry.ActivitySourceName, typeof(PoolSpans).Assembly.GetName().Version?.ToString(3));

    /// <summary>Whether there is a listener for spans.</summary>
    public static bool AreWanted => Source.HasListeners();

    /// <summary>Creates the span of the queue and begins the run's span, which becomes the current one. Called on the worker, in the request's flow.</summary>
    /// <returns>The span of the run, which the caller ends; <see langword="null"/>: this request is not traced.</returns>
    public static Activity? Start(PoolRequest request, string pool)
    {
        DateTimeOffset now = DateTimeOffset.UtcNow;
        Wait(request, pool, now)?.Stop();
        return Source.StartActivity(
            ActivityKind.Internal, default(ActivityContext), [.. Tags(request, pool), new("worker", request.WorkerName)], startTime: now, name: "run " + request.Kind);
    }

    /// <summary>Ends the span of a run. On any thread.</summary>
    public static void End(Activity run, WorkOutcome outcome, Exception? error)
    {
        SetOutcome(run, outcome, error);
        Stop(run);
    }

    /// <summary>The work has ended without having run: the span of the queue has its outcome. On any thread, in the request's flow.</summary>
    public static void NeverRan(PoolRequest request, string pool, WorkOutcome outcome)
    {
        if (Wait(request, pool, DateTimeOffset.UtcNow) is not { } wait) return;
        SetOutcome(wait, outcome, null);
        wait.Stop();
    }

    private static Activity? Wait(PoolRequest request, string pool, DateTimeOffset now) => Source
        .StartActivity(ActivityKind.Internal, default(ActivityContext), Tags(request, pool), startTime: now - request.QueueTime, name: "wait " + pool)
        ?.SetEndTime(now.UtcDateTime);

    private static KeyValuePair<string, object?>[] Tags(PoolRequest request, string pool) => [new("pool", pool), new("kind", request.Kind)];

    private static void SetOutcome(Activity span, WorkOutcome outcome, Exception? error)
    {
        span.SetTag("outcome", Word(outcome));
        if (outcome is WorkOutcome.Completed or WorkOutcome.Cancelled or WorkOutcome.Withdrawn) return;
        span.SetStatus(ActivityStatusCode.Error);
        span.SetTag("error.type", error is null ? Word(outcome) : error.GetType().FullName);
    }

    /// <summary>Stops a span and keeps the current span of the calling flow, which may be another one. (Activity.Stop replaces it with the parent.)</summary>
    private static void Stop(Activity span)
    {
        Activity? current = Activity.Current;
        span.Stop();
        Activity.Current = ReferenceEquals(current, span) ? span.Parent : current;
    }

    /// <summary>The words of the metrics.</summary>
    private static string Word(WorkOutcome outcome) => outcome switch
    {
        WorkOutcome.Completed => "completed",
        WorkOutcome.Failed => "failed",
        WorkOutcome.Cancelled => "cancelled",
        WorkOutcome.Withdrawn => PoolContext.ClientGone,
        WorkOutcome.Expired => "expired",
        WorkOutcome.NotStarted => "not_started",
        WorkOutcome.TimedOut => "timed_out",
        _ => "abandoned",
    };
}
