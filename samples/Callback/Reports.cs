using PoolApi.Jobs.AspNetCore;

namespace CallbackSample;

internal static class Reports
{
    /// <summary>Builds a report of twelve months, and has the address of <c>callback</c> called when the job has ended, whatever its end.</summary>
    public static async Task<IResult> BuildAsync(int year, string? callback, JobContext? job, IJobs jobs, CancellationToken cancellation)
    {
        if (callback is not null)
        {
            if (job is null) return TypedResults.Problem("Only a job has a callback: send it with 'Prefer: respond-async'.", statusCode: 400);
            // With the key, a second attempt of this job asks for no second call.
            await jobs.EnqueueAsync(new Callback(job.Id, callback), new() { IdempotencyKey = $"{job.Id}" }, cancellation);
        }
        return TypedResults.Text(string.Concat(Enumerable.Range(1, 12).Select(month => $"{year}-{month:00} {DateTime.DaysInMonth(year, month)} days\n")));
    }
}
