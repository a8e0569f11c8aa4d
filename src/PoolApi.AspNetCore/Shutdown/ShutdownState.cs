namespace PoolApi.AspNetCore.Shutdown;

/// <summary>The state of the app's lifetime. The states are entered in this order; some may be left out.</summary>
public enum ShutdownState
{
    /// <summary>The host starts. The readiness check fails.</summary>
    Starting,

    /// <summary>The app serves requests.</summary>
    Running,

    /// <summary>The stop has begun. The readiness check fails, but work is still accepted from load balancers that have not noticed.</summary>
    LameDuck,

    /// <summary>New requests are refused, and accepted work is finished. The pools close when the hosted services have stopped.</summary>
    Draining,

    /// <summary>The drain has missed its deadline: queued items end as not started, and running items are cancelled.</summary>
    Cancelling,

    /// <summary>The workers end, their threads are joined, and the connections close.</summary>
    Joining,

    /// <summary>The server has stopped, and telemetry is flushed.</summary>
    Flushing,
}

internal static class ShutdownStates
{
    /// <summary>Whether the app may go from one state to the other in one step. The drawing is that of <see cref="ShutdownCoordinator"/>.</summary>
    public static bool IsStep(ShutdownState from, ShutdownState to) => (from, to) switch
    {
        (ShutdownState.Starting, ShutdownState.Running) => true,
        (ShutdownState.Running, ShutdownState.LameDuck) => true,
        (ShutdownState.Starting or ShutdownState.Running or ShutdownState.LameDuck, ShutdownState.Draining) => true,
        (ShutdownState.Draining, ShutdownState.Cancelling) => true,
        (ShutdownState.Draining or ShutdownState.Cancelling, ShutdownState.Joining) => true,
        // From the first two if there is no memory to stop the pools: their threads are not joined then.
        (ShutdownState.Draining or ShutdownState.Cancelling or ShutdownState.Joining, ShutdownState.Flushing) => true,
        _ => false,
    };

    /// <summary>The state as metrics and JSON write it.</summary>
    public static string ToWord(this ShutdownState state) => state switch
    {
        ShutdownState.Starting => "starting",
        ShutdownState.Running => "running",
        ShutdownState.LameDuck => "lameduck",
        ShutdownState.Draining => "draining",
        ShutdownState.Cancelling => "cancelling",
        ShutdownState.Joining => "joining",
        _ => "flushing",
    };
}
