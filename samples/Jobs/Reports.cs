using PoolApi.Jobs.AspNetCore;

namespace JobsSample;

/// <summary>Work that takes a while: a report of twelve months.</summary>
public sealed class Reports
{
    /// <summary>Builds a report. As a job, it reports its progress.</summary>
    public static string Build(int year, JobContext? job, CancellationToken cancellation)
    {
        var report = new System.Text.StringBuilder();
        for (int month = 1; month <= 12; month++)
        {
            cancellation.ThrowIfCancellationRequested();
            report.Append(System.Globalization.CultureInfo.InvariantCulture, $"{year}-{month:00} {DateTime.DaysInMonth(year, month)} days\n");
            job?.Report(month / 12.0);
        }
        return report.ToString();
    }
}
