namespace PoolApi.TestKit.Processes;

/// <summary>The signals by which a person or an orchestrator stops the service; the numbers are Linux's.</summary>
public enum UnixSignal
{
    /// <summary>The terminal has closed.</summary>
    HangUp = 1,

    /// <summary>Ctrl-C.</summary>
    Interrupt = 2,

    /// <summary>Ctrl-\.</summary>
    Quit = 3,

    /// <summary>`kill`, `docker stop`, Kubernetes.</summary>
    Terminate = 15,
}
