namespace PoolApi.AspNetCore.Shutdown;

/// <summary>A state that the stop has entered.</summary>
/// <param name="State">The state.</param>
/// <param name="Reason">Why the app stops.</param>
/// <param name="At">When.</param>
internal readonly record struct StateEntry(ShutdownState State, string Reason, DateTimeOffset At);
