namespace PoolApi.AspNetCore;

/// <summary>
/// A budget of bytes beside those of the pools. Register one or more as services; the metrics <c>poolapi.budget.usage</c> and
/// <c>poolapi.budget.limit</c> have them under their names.
/// </summary>
public interface IMeasuredBudget
{
    /// <summary>Its name: the attribute <c>budget</c>.</summary>
    string Name { get; }

    /// <summary>How many bytes are held now. Called when somebody collects, on any thread.</summary>
    long Used { get; }

    /// <summary>How many bytes may be held at a time.</summary>
    long Limit { get; }
}
