using System.Globalization;
using System.Text;

namespace PoolApi.Threading;

/// <summary>How a pool's shutdown went.</summary>
public sealed class ShutdownReport
{
    internal ShutdownReport()
    {
    }

    /// <summary>What the shutdown was to do with work that had not ended; <see langword="null"/> after a <see cref="FixedThreadPool.JoinAsync"/> alone.</summary>
    internal ShutdownMode? Mode { get; init; }

    /// <summary>Everything accepted had ended by itself before anything had to be handed back or cancelled.</summary>
    public bool Drained { get; internal init; }

    /// <summary>How many workers' threads were joined.</summary>
    public int WorkersJoined { get; internal init; }

    /// <summary>The workers whose threads did not end in time, with what they were running.</summary>
    public IReadOnlyList<WorkerSnapshot> NotJoined { get; internal init; } = [];

    /// <summary>The items that were accepted and handed back without having run: the highest priority first, in each the oldest first.</summary>
    public IReadOnlyList<PoolWorkItem> NotStarted { get; internal init; } = [];

    /// <summary>
    /// How many items were under way when the pool cancelled what ran (a drain missed its deadline;
    /// <see cref="ShutdownMode.Cancel"/>; <see cref="FixedThreadPool.CancelAll"/>) and then failed or were cancelled, and how many
    /// were left behind, asked to stop or not. One that completed all the same is not among them.
    /// </summary>
    public int Interrupted { get; internal init; }

    /// <summary>Nothing that was accepted was handed back or interrupted by this shutdown.</summary>
    public bool NothingLost => NotStarted.Count == 0 && Interrupted == 0;

    /// <summary>What became of everything the pool ever accepted.</summary>
    public PoolCounts Counts { get; internal init; } = new(0, default);

    /// <summary>How long the shutdown took.</summary>
    public TimeSpan Elapsed { get; internal init; }

    /// <summary>One line for a log: how the shutdown went, what became of the work, what never ran, and which thread is stuck on what.</summary>
    public override string ToString()
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"{Mode?.ToString() ?? "Join"} in {Elapsed.TotalSeconds:F1} s: ");
        text.Append(CultureInfo.InvariantCulture, $"{Counts[WorkOutcome.Completed]} of {Counts.Accepted} completed");
        Append(text, Counts[WorkOutcome.Failed], "failed");
        Append(text, Counts[WorkOutcome.Cancelled], "cancelled");
        Append(text, Counts[WorkOutcome.Expired], "expired");
        Append(text, Counts[WorkOutcome.Withdrawn], "withdrawn");
        Append(text, Counts[WorkOutcome.NotStarted], "never ran");
        if (NotStarted.Count > 0)
        {
            IEnumerable<string> kinds = NotStarted.GroupBy(KindOf, StringComparer.Ordinal).Select(static g => $"{g.Count()} {g.Key}");
            text.Append(CultureInfo.InvariantCulture, $" ({string.Join(", ", kinds)})");
        }
        Append(text, Counts[WorkOutcome.TimedOut], "timed out");
        Append(text, Counts[WorkOutcome.Abandoned], "abandoned");
        text.Append(CultureInfo.InvariantCulture, $"; {WorkersJoined} of {WorkersJoined + NotJoined.Count} threads joined");
        foreach (WorkerSnapshot worker in NotJoined)
        {
            text.Append(CultureInfo.InvariantCulture, $", {worker.Name} is on {worker.Kind ?? "nothing"}");
            if (worker.Origin is not null) text.Append(CultureInfo.InvariantCulture, $" for {worker.Origin}");
            if (worker.Elapsed is { } since) text.Append(CultureInfo.InvariantCulture, $" since {since.TotalSeconds:F1} s");
        }
        return text.ToString();
    }

    private static void Append(StringBuilder text, long count, string what)
    {
        if (count > 0) text.Append(CultureInfo.InvariantCulture, $", {count} {what}");
    }

    /// <summary>A caller's code: if it throws, the report can be read all the same.</summary>
    private static string KindOf(PoolWorkItem item)
    {
        try
        {
            return item.Kind;
        }
        catch (Exception)
        {
            return "work";
        }
    }
}
