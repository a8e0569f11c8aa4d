namespace PoolApi.Dashboard;

/// <summary>What the dashboard shows and lets people do.</summary>
public sealed class PoolDashboardOptions
{
    /// <summary>Whether the dashboard only shows: nobody can change anything with it. False by default.</summary>
    public bool ReadOnly { get; set; }
}
