namespace PoolApi.AspNetCore;

/// <summary>
/// A budget of bytes outside the pools, for the metrics. Register one or more as services. The metrics <c>poolapi.budget.usage</c> and
/// <c>poolapi.budget.limit</c> then have a series for each.
/// </summary>
public interface IMeasuredBudget
{
    /// <summary>The budget's name, the value of the attribute <c>budget</c>.</summary>
    string Name { get; }

    /// <summary>The bytes that are held now. Read at each collection of the metrics, on any thread.</summary>
    long Used { get; }

    /// <summary>The most bytes that may be held at a time.</summary>
    long Limit { get; }
}
