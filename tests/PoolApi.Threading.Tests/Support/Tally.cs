namespace PoolApi.Threading.Tests.Support;

/// <summary>A pool's counts as a value, so that a test states all of them in one assertion.</summary>
internal sealed record Tally
{
    public long Accepted { get; init; }

    public long Completed { get; init; }

    public long Failed { get; init; }

    public long Cancelled { get; init; }

    public long Expired { get; init; }

    public long NotStarted { get; init; }

    public long Abandoned { get; init; }

    public long TimedOut { get; init; }

    public static Tally Of(PoolSnapshot snapshot) => new()
    {
        Accepted = snapshot.Accepted,
        Completed = snapshot.Counts[WorkOutcome.Completed],
        Failed = snapshot.Counts[WorkOutcome.Failed],
        Cancelled = snapshot.Counts[WorkOutcome.Cancelled],
        Expired = snapshot.Counts[WorkOutcome.Expired],
        NotStarted = snapshot.Counts[WorkOutcome.NotStarted],
        Abandoned = snapshot.Counts[WorkOutcome.Abandoned],
        TimedOut = snapshot.Counts[WorkOutcome.TimedOut],
    };
}
