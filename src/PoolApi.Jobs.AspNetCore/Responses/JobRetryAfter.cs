using System.Globalization;

namespace PoolApi.Jobs.AspNetCore.Responses;

/// <summary>When it is worth asking for a job again.</summary>
/// <remarks>
/// For a job that is due later: the time until then, at most an hour. For any other job: a quarter of the time that it has taken so far, at most
/// 30 seconds. A client that has waited for minutes loses little by a few seconds more.
/// </remarks>
internal static class JobRetryAfter
{
    private const double Proportion = 0.25;
    private static readonly TimeSpan Soonest = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Latest = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan Furthest = TimeSpan.FromHours(1);

    /// <summary>Sets <c>Retry-After</c> of the response.</summary>
    public static void SetHeader(HttpContext context, Job job)
    {
        TimeProvider time = context.RequestServices?.GetService<TimeProvider>() ?? TimeProvider.System;
        context.Response.Headers.RetryAfter = Of(job, time.GetUtcNow()).ToString(CultureInfo.InvariantCulture);
    }

    /// <summary>The time, in whole seconds, 1 or more.</summary>
    public static long Of(Job job, DateTimeOffset now)
    {
        DateTimeOffset due = job.RunAt;
        TimeSpan wait = job.State == JobState.Queued && due > now
            ? Clamp(due - now, Soonest, Furthest)
            : Clamp((now - (job.StartedAt ?? due)) * Proportion, Soonest, Latest);
        return (long)Math.Ceiling(wait.TotalSeconds);
    }

    private static TimeSpan Clamp(TimeSpan time, TimeSpan least, TimeSpan most) => time < least ? least : time > most ? most : time;
}
