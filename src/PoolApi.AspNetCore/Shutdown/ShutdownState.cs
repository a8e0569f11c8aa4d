namespace PoolApi.AspNetCore.Shutdown;

/// <summary>Where the app is in its life. It only ever moves forward.</summary>
public enum ShutdownState
{
    /// <summary>The host starts; not ready.</summary>
    Starting,

    /// <summary>Normal.</summary>
    Running,

    /// <summary>A stop was asked for; not ready, but work is still accepted, for load balancers that have not noticed.</summary>
    LameDuck,

    /// <summary>No new requests; what was accepted is being finished. The pools close when the hosted services have stopped.</summary>
    Draining,

    /// <summary>The drain's time is over: what waits is handed back, what runs is cancelled.</summary>
    Cancelling,

    /// <summary>The workers end, their threads are joined, and the connections are closed.</summary>
    Joining,

    /// <summary>The server has stopped; telemetry is flushed.</summary>
    Flushing,
}

internal static class ShutdownStates
{
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
