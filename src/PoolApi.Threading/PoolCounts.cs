namespace PoolApi.Threading;

/// <summary>
/// What became of the work a pool accepted, at one moment. <see cref="Accepted"/> equals <see cref="Ended"/> plus what
/// waits and what is in flight, at every moment.
/// </summary>
public readonly record struct PoolCounts
{
    /// <summary>Items accepted.</summary>
    public long Accepted { get; init; }

    /// <summary>Items that ran to their end.</summary>
    public long Completed { get; init; }

    /// <summary>Items that ran and threw.</summary>
    public long Failed { get; init; }

    /// <summary>Items that were cancelled, waiting or running.</summary>
    public long Cancelled { get; init; }

    /// <summary>Items that waited too long.</summary>
    public long Expired { get; init; }

    /// <summary>Items dropped because of overload.</summary>
    public long Shed { get; init; }

    /// <summary>Items whose client went away while they waited.</summary>
    public long ClientGone { get; init; }

    /// <summary>Items handed back because the pool stopped.</summary>
    public long NotStarted { get; init; }

    /// <summary>Items that were left behind by a stop.</summary>
    public long Abandoned { get; init; }

    /// <summary>Items that ran for longer than they may.</summary>
    public long TimedOut { get; init; }

    /// <summary>Items that have ended, whatever their outcome.</summary>
    public long Ended => Completed + Failed + Cancelled + Expired + Shed + ClientGone + NotStarted + Abandoned + TimedOut;

    /// <summary>These and those together, for several pools at once.</summary>
    /// <param name="other">Those.</param>
    public PoolCounts Plus(PoolCounts other) => new()
    {
        Accepted = Accepted + other.Accepted,
        Completed = Completed + other.Completed,
        Failed = Failed + other.Failed,
        Cancelled = Cancelled + other.Cancelled,
        Expired = Expired + other.Expired,
        Shed = Shed + other.Shed,
        ClientGone = ClientGone + other.ClientGone,
        NotStarted = NotStarted + other.NotStarted,
        Abandoned = Abandoned + other.Abandoned,
        TimedOut = TimedOut + other.TimedOut,
    };
}
