namespace PoolApi.Threading;

/// <summary>How a pool's shutdown went.</summary>
public sealed record ShutdownReport
{
    /// <summary>Everything accepted had ended by itself before anything had to be handed back or cancelled.</summary>
    public required bool Drained { get; init; }

    /// <summary>Every worker's thread has ended and was joined.</summary>
    public bool Joined => NotJoined.Count == 0;

    /// <summary>How many workers' threads were joined.</summary>
    public required int WorkersJoined { get; init; }

    /// <summary>The workers whose threads did not end in time, with what they were running.</summary>
    public required IReadOnlyList<WorkerSnapshot> NotJoined { get; init; }

    /// <summary>The items that were accepted and handed back without having run: the highest priority first, in each the oldest first.</summary>
    public required IReadOnlyList<PoolWorkItem> NotStarted { get; init; }

    /// <summary>
    /// How many items were under way when the pool cancelled what ran (a drain missed its deadline;
    /// <see cref="ShutdownMode.Cancel"/>; <see cref="FixedThreadPool.CancelAll"/>) and then failed or were cancelled, and how many
    /// were left behind, asked to stop or not. One that completed all the same is not among them.
    /// </summary>
    public required int Interrupted { get; init; }

    /// <summary>Nothing that was accepted was handed back or interrupted by this shutdown.</summary>
    public bool NothingLost => NotStarted.Count == 0 && Interrupted == 0;

    /// <summary>What became of everything the pool ever accepted.</summary>
    public required PoolCounts Counts { get; init; }

    /// <summary>How long the shutdown took.</summary>
    public required TimeSpan Elapsed { get; init; }
}
