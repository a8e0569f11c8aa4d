namespace PoolApi.Dashboard;

/// <summary>A button of the dashboard that sends work to a pool.</summary>
/// <param name="name">The name in the route: lower-case letters, digits and hyphens.</param>
/// <param name="label">The button's label.</param>
/// <param name="send">Sends the work without waiting for it, and returns a sentence that says what was sent.</param>
public sealed class PoolDashboardWork(string name, string label, Func<HttpContext, Task<string>> send)
{
    /// <summary>The name in the route.</summary>
    public string Name { get; } = name;

    /// <summary>The button's label.</summary>
    public string Label { get; } = label;

    /// <summary>The button's tooltip: what the work is.</summary>
    public string? Description { get; init; }

    /// <summary>Sends the work and returns a sentence that says what was sent.</summary>
    public Func<HttpContext, Task<string>> Send { get; } = send;
}
