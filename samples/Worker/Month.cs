using PoolApi.Jobs.AspNetCore;

namespace Worker;

/// <summary>The payload of a job: a month to report on.</summary>
public sealed record Month(int Year, int Number)
{
    /// <summary>Builds the report. It runs on a worker of the pool, and again if it throws or the process dies.</summary>
    public string Build(ILogger log, JobContext job, CancellationToken cancellation)
    {
        for (int day = 1; day <= DateTime.DaysInMonth(Year, Number); day++)
        {
            cancellation.ThrowIfCancellationRequested();
            job.Progress.Report(day / (double)DateTime.DaysInMonth(Year, Number));
        }
        string report = $"{Year}-{Number:00}";
        log.LogInformation("Report {Report} built on {Thread}", report, Thread.CurrentThread.Name);
        return report;
    }
}
