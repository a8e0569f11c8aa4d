using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Logging;
using PoolApi.AspNetCore.Shutdown;

namespace PoolApi.AspNetCore.Health;

/// <summary>Logs when a readiness probe first fails and when it succeeds again, but not each probe. Thread-safe.</summary>
internal sealed partial class ReadinessLog(ShutdownCoordinator shutdown, ILogger<ReadinessLog> logger)
{
    private int _isNotReady;

    public void Log(HealthReport report)
    {
        // The start and the stop log their own lines. A report may be older than the state: made before the start ended, or before a stop began.
        if (shutdown.State != ShutdownState.Running) return;
        if (report.Entries.TryGetValue(PoolHealth.ShutdownCheck, out HealthReportEntry check) && check.Status == HealthStatus.Unhealthy) return;
        bool isReady = report.Status != HealthStatus.Unhealthy;
        if (Interlocked.Exchange(ref _isNotReady, isReady ? 0 : 1) == (isReady ? 0 : 1)) return;
        if (isReady) LogReady();
        else LogNotReady(string.Join("; ", report.Entries.Where(static e => e.Value.Status == HealthStatus.Unhealthy).Select(static e => $"{e.Key}: {Why(e.Value)}")));
    }

    private static string Why(HealthReportEntry entry) => entry.Description ?? entry.Exception?.Message ?? entry.Status.ToString();

    [LoggerMessage(14, LogLevel.Error, "Not ready: {fault}")]
    private partial void LogNotReady(string fault);

    [LoggerMessage(15, LogLevel.Information, "Ready again")]
    private partial void LogReady();
}
