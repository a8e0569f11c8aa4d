namespace PoolApi.Threading.Tests.Interleaving;

/// <summary>An item that counts its submissions, runs and ends. (Another file has the member that its base class requires in the real kernel.)</summary>
internal sealed partial class ScheduledItem(string name) : PoolWorkItem
{
    /// <summary>The worker runs it, on its virtual thread.</summary>
    public Action? Body { get; init; }

    /// <summary>Its body leaves it suspended. It ends after its last resumption.</summary>
    public bool Suspends { get; init; }

    /// <summary>The number of resumptions until its code ends.</summary>
    public int ResumptionsLeft { get; set; } = 1;

    public Action? WhenResumed { get; set; }

    internal override bool HoldsWorker => Active > 0;

    /// <summary>The thread that has run it dies afterwards.</summary>
    public bool IsDeadly { get; set; }

    /// <summary>The submission has a limit on run time.</summary>
    public bool HasRunLimit { get; set; }

    /// <summary>It has been submitted to another pool.</summary>
    public bool IsElsewhere { get; set; }

    /// <summary>A stop has cancelled its token, so its code ends as cancelled.</summary>
    public bool IsCancelled { get; set; }

    /// <summary>Called with false when a stop cancels its token, and with true when the stop abandons it.</summary>
    public Action<bool>? WhenCancelled { get; set; }

    /// <summary>Called after it was notified of its end, when it may be submitted again.</summary>
    public Action<ScheduledItem>? WhenEnded { get; set; }

    public int Accepted { get; set; }

    public int Runs { get; set; }

    public int Unrun { get; set; }

    public int Ends { get; set; }

    /// <summary>It has a place, which is reserved and not given back.</summary>
    public bool IsInside { get; set; }

    /// <summary>The number of workers that run its code now.</summary>
    public int Active { get; set; }

    /// <summary>Its code has ended.</summary>
    public bool IsDone { get; set; }

    public override string ToString() => name;
}
