using PoolApi.Dashboard.History;

namespace PoolApi.Dashboard.Traces;

/// <summary>Sets up the traces and snapshots of an app from the options.</summary>
internal static class TraceSetup
{
    /// <summary>Creates the snapshots and their triggers.</summary>
    /// <exception cref="InvalidOperationException">An option is out of its range. The message names it and its range.</exception>
    public static Snapshots Start(IServiceProvider services, PoolMonitor monitor, PoolDashboardOptions options)
    {
        Check(options);
        var logger = services.GetRequiredService<ILoggerFactory>();
        var snapshots = new Snapshots(monitor, options.SnapshotDirectory, logger.CreateLogger<Snapshots>());
        _ = new SnapshotTriggers(monitor, snapshots, options.SlowItem, options.SnapshotCooldown); // the monitor holds it
        return snapshots;
    }

    private static void Check(PoolDashboardOptions options)
    {
        if (options.SlowItem <= TimeSpan.Zero) throw Fault(nameof(options.SlowItem), options.SlowItem, "more than zero, or null");
        if (options.SnapshotCooldown < TimeSpan.FromSeconds(1) || options.SnapshotCooldown > TimeSpan.FromDays(1))
            throw Fault(nameof(options.SnapshotCooldown), options.SnapshotCooldown, "a second to a day");
        if (options.SnapshotDirectory is not { } directory) return;
        try
        {
            Directory.CreateDirectory(directory);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            throw new InvalidOperationException($"{nameof(PoolDashboardOptions)}.{nameof(options.SnapshotDirectory)} is '{directory}', which cannot be made: {e.Message}", e);
        }

        static InvalidOperationException Fault(string option, object? value, string range) =>
            new($"{nameof(PoolDashboardOptions)}.{option} is {value}; it may be {range}.");
    }
}
