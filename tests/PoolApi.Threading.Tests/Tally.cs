namespace PoolApi.Threading.Tests;

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

    public static Tally Of(PoolCounts counts) => new()
    {
        Accepted = counts.Accepted,
        Completed = counts[WorkOutcome.Completed],
        Failed = counts[WorkOutcome.Failed],
        Cancelled = counts[WorkOutcome.Cancelled],
        Expired = counts[WorkOutcome.Expired],
        NotStarted = counts[WorkOutcome.NotStarted],
        Abandoned = counts[WorkOutcome.Abandoned],
        TimedOut = counts[WorkOutcome.TimedOut],
    };
}
