namespace PoolApi.Dashboard;

/// <summary>What the dashboard shows and lets people do.</summary>
public sealed class PoolDashboardOptions
{
    /// <summary>Whether the dashboard only shows: nobody can change anything with it. False by default.</summary>
    public bool ReadOnly { get; set; }

    /// <summary>
    /// Whether the dashboard has a button that stops the app: it drains, joins its threads and exits. False by default.
    /// </summary>
    public bool AllowDrain { get; set; }

    /// <summary>
    /// The host names by which people open the pages, such as <c>pool.example</c> or <c>*.ops.example</c>, without port. A change is refused if
    /// the page that asks for it has another name; IP addresses and <c>localhost</c> need not be named. None by default: then the names in
    /// the app's setting <c>AllowedHosts</c> count, if it has some.
    /// </summary>
    /// <remarks>
    /// The request's own <c>Host</c> proves nothing: a web page can point a name of its own at the app, and its browser sends that name.
    /// </remarks>
    public IList<string> AllowedHosts { get; } = [];

    /// <summary>Buttons that send work to a pool, for somebody who wants to see it run. None by default.</summary>
    public IList<PoolDashboardWork> Work { get; } = [];

    /// <summary>
    /// An item that runs for so long leaves a snapshot of the seconds before its end; <see langword="null"/>, the default: none does. More than
    /// zero. Stuck workers, expiries, overload and an unclean stop leave one always.
    /// </summary>
    public TimeSpan? SlowItem { get; set; }

    /// <summary>
    /// Where the snapshots are written, beside those in memory: ten files at most. It is made if it is not there; if it cannot be, the app
    /// does not start. <see langword="null"/>, the default: nowhere.
    /// </summary>
    public string? SnapshotDirectory { get; set; }

    /// <summary>How long nothing of one kind leaves another snapshot. A second to a day; default: one minute.</summary>
    public TimeSpan SnapshotCooldown { get; set; } = TimeSpan.FromMinutes(1);
}
