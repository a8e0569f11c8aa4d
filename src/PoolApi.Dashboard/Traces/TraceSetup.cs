using System.Diagnostics.Metrics;
using System.Runtime.CompilerServices;
using PoolApi.Dashboard.History;

namespace PoolApi.Dashboard.Traces;

/// <summary>Sets up the traces and snapshots of an app from the options.</summary>
internal static class TraceSetup
{
    // One set of snapshots for an app, however often it maps the dashboard: otherwise each cause would leave several.
    private static readonly ConditionalWeakTable<PoolMonitor, Shared> ByApp = [];

    /// <summary>Creates the snapshots and their triggers.</summary>
    /// <exception cref="InvalidOperationException">An option is out of its range. The message names it and its range. Or it differs from that of an earlier mapping.</exception>
    public static Snapshots Start(IServiceProvider services, PoolMonitor monitor, PoolDashboardOptions options)
    {
        Check(options);
        return ByApp.GetValue(monitor, app =>
        {
            var logger = services.GetRequiredService<ILoggerFactory>();
            var snapshots = new Snapshots(app, options.SnapshotDirectory, logger.CreateLogger<Snapshots>());
            if (services.GetService<IMeterFactory>() is { } meters) snapshots.Measure(meters);
            _ = new SnapshotTriggers(app, snapshots, options.SlowItem, options.SnapshotCooldown); // the monitor holds it
            return new Shared(snapshots, options.SlowItem, options.SnapshotDirectory, options.SnapshotCooldown);
        }).For(options);
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
            new($"{nameof(PoolDashboardOptions)}.{option} is {value}; it must be {range}.");
    }

    /// <summary>The snapshots of an app, and the options that they were created from.</summary>
    private sealed record Shared(Snapshots Snapshots, TimeSpan? SlowItem, string? Directory, TimeSpan Cooldown)
    {
        private static readonly PoolDashboardOptions Unset = new();

        /// <summary>A later mapping shares the snapshots. It may leave the options out, or repeat them.</summary>
        public Snapshots For(PoolDashboardOptions options)
        {
            string? other =
                options.SlowItem is not null && options.SlowItem != SlowItem ? nameof(options.SlowItem)
                : options.SnapshotDirectory is not null && options.SnapshotDirectory != Directory ? nameof(options.SnapshotDirectory)
                : options.SnapshotCooldown != Unset.SnapshotCooldown && options.SnapshotCooldown != Cooldown ? nameof(options.SnapshotCooldown)
                : null;
            return other is null ? Snapshots : throw new InvalidOperationException(
                $"The dashboard is mapped more than once, and {nameof(PoolDashboardOptions)}.{other} differs: an app has one set of snapshots. Set it at the first mapping only.");
        }
    }
}
