namespace PoolApi.Dashboard.History;

/// <summary>What a busy worker's thread does.</summary>
internal enum WorkerActivity
{
    /// <summary>The thread runs on a processor.</summary>
    Computing,

    /// <summary>The thread is runnable and waits for a processor.</summary>
    WaitingForProcessor,

    /// <summary>The thread is blocked: it waits for a lock, a disk, a network or a timer.</summary>
    Blocked,
}

/// <summary>What a busy worker's thread did since the last reading that decided it, usually that of the previous tick.</summary>
/// <param name="Activity">What the thread did for the largest part of the time.</param>
/// <param name="Running">The part of the time on a processor, 0 to 1.</param>
/// <param name="Waiting">The part of the time waiting for a processor, 0 to 1.</param>
/// <param name="Channel">The kernel function in which the thread is blocked.</param>
internal sealed record WorkerActivityView(WorkerActivity Activity, double Running, double Waiting, string? Channel);
