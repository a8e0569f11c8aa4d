namespace PoolApi.Dashboard;

/// <summary>A button that sends work.</summary>
/// <param name="name">Its name in the route: lower-case letters, digits and hyphens.</param>
/// <param name="label">What is on the button.</param>
/// <param name="send">Sends the work and returns, without waiting for it, what was sent, in words.</param>
public sealed class PoolDashboardWork(string name, string label, Func<HttpContext, Task<string>> send)
{
    /// <summary>Its name in the route.</summary>
    public string Name { get; } = name;

    /// <summary>What is on the button.</summary>
    public string Label { get; } = label;

    /// <summary>What the work is, for who hesitates.</summary>
    public string? Description { get; init; }

    /// <summary>Sends the work and returns what was sent, in words.</summary>
    public Func<HttpContext, Task<string>> Send { get; } = send;
}
