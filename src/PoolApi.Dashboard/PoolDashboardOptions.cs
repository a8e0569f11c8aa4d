namespace PoolApi.Dashboard;

/// <summary>Options of the dashboard. Read once, when it is mapped.</summary>
public sealed class PoolDashboardOptions
{
    /// <summary>Whether the dashboard has no routes that change anything. Default: <see langword="false"/>.</summary>
    public bool ReadOnly { get; set; }

    /// <summary>
    /// Whether the dashboard has a button that stops the app: the app drains, joins its threads and exits. Default: <see langword="false"/>.
    /// </summary>
    public bool AllowDrain { get; set; }

    /// <summary>
    /// The host names by which operators open the pages, without port, such as <c>pool.example</c> or <c>*.ops.example</c>. A change is refused if
    /// the page that sends it has another name. IP addresses and <c>localhost</c> are always allowed. Default: empty, then the names in the app's
    /// setting <c>AllowedHosts</c> are used.
    /// </summary>
    /// <remarks>
    /// The request's own <c>Host</c> proves nothing: by DNS rebinding an attacker's page can point its own name at the app, and the browser sends that name.
    /// </remarks>
    public IList<string> AllowedHosts { get; } = [];

    /// <summary>Buttons that send work to a pool, to see the lanes fill. Default: none.</summary>
    public IList<PoolDashboardWork> Work { get; } = [];

    /// <summary>
    /// The run time, more than zero, from which an item leaves a snapshot. Default: <see langword="null"/>, no item does. Stuck workers, expiries,
    /// overload and an unclean stop always leave one.
    /// </summary>
    public TimeSpan? SlowItem { get; set; }

    /// <summary>
    /// The directory to which snapshots are also written, at most ten files, those of earlier processes included. Of the trigger that has the most
    /// files, the oldest is deleted first. Each instance needs a directory of its own. It is created if it does not exist. If that fails, the app does
    /// not start. Default: <see langword="null"/>, snapshots are in memory only.
    /// </summary>
    public string? SnapshotDirectory { get; set; }

    /// <summary>How long a trigger takes no further snapshot after one, 1 second to 1 day. Default: 1 minute.</summary>
    public TimeSpan SnapshotCooldown { get; set; } = TimeSpan.FromMinutes(1);
}
