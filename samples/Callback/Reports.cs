using PoolApi.Jobs.AspNetCore;

namespace CallbackSample;

internal static class Reports
{
    /// <summary>Builds a report of twelve months. When the job has ended, in any state, the app calls the address of <c>callback</c>.</summary>
    public static async Task<IResult> BuildAsync(int year, string? callback, JobContext? job, IJobs jobs, CancellationToken cancellation)
    {
        if (callback is not null)
        {
            if (job is null) return TypedResults.Problem("Only a job has a callback: send it with 'Prefer: respond-async'.", statusCode: 400);
            // With the idempotency key, a second attempt of this job causes no second call.
            await jobs.EnqueueAsync(new Callback(job.Id, callback), new() { IdempotencyKey = $"{job.Id}" }, cancellation);
        }
        return TypedResults.Text(string.Concat(Enumerable.Range(1, 12).Select(month => $"{year}-{month:00} {DateTime.DaysInMonth(year, month)} days\n")));
    }
}
