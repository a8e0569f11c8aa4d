namespace PoolApi.AspNetCore.Shutdown;

/// <summary>How far the app's stop is.</summary>
/// <param name="State">Where it is.</param>
/// <param name="Reason">Why the app stops; null: it does not.</param>
/// <param name="Elapsed">The time since the stop began.</param>
/// <param name="TimeLeft">The longest that this part of the stop may still take; null: there is no limit, or nothing to wait for.</param>
internal readonly record struct ShutdownProgress(ShutdownState State, string? Reason, TimeSpan Elapsed, TimeSpan? TimeLeft);
