namespace PoolApi.AspNetCore.Shutdown;

/// <summary>The progress of the app's stop.</summary>
/// <param name="State">The state.</param>
/// <param name="Reason">Why the app stops; null: no stop has begun.</param>
/// <param name="Elapsed">The time since the stop began.</param>
/// <param name="TimeLeft">
/// The time until the deadline of the drain, in LameDuck and Draining, or until the stop no longer waits for cancelled work, in Cancelling. In the other
/// states null.
/// </param>
internal readonly record struct ShutdownProgress(ShutdownState State, string? Reason, TimeSpan Elapsed, TimeSpan? TimeLeft);
