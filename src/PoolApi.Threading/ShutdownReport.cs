using System.Globalization;
using System.Text;

namespace PoolApi.Threading;

/// <summary>How a pool's shutdown went.</summary>
public sealed class ShutdownReport : PoolSnapshot
{
    internal ShutdownReport(PoolSnapshot last)
        : base(last)
    {
    }

    /// <summary>How many workers' threads were joined.</summary>
    public int WorkersJoined { get; internal init; }

    /// <summary>The workers whose threads did not end in time, with what they were running.</summary>
    public IReadOnlyList<WorkerSnapshot> NotJoined { get; internal init; } = [];

    /// <summary>The items that were accepted and handed back without having run: the highest priority first, in each the oldest first.</summary>
    public IReadOnlyList<PoolWorkItem> NotStarted { get; internal init; } = [];

    /// <summary>
    /// How many items were under way when the pool cancelled what ran (a shutdown missed its deadline, or
    /// <see cref="FixedThreadPool.CancelAll"/>) and then failed or were cancelled, and how many were left behind, asked to stop or not. One that
    /// completed all the same is not among them. With nothing in <see cref="NotStarted"/> and none interrupted, nothing was lost.
    /// </summary>
    public int Interrupted { get; internal init; }

    /// <summary>How long the shutdown took.</summary>
    internal TimeSpan Elapsed { get; init; }

    /// <summary>One line for a log: how the shutdown went, what became of the work, what never ran, and which thread is stuck on what.</summary>
    public override string ToString()
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"Stopped in {Elapsed.TotalSeconds:F1} s: ");
        text.Append(CultureInfo.InvariantCulture, $"{Counts[WorkOutcome.Completed]} of {Accepted} completed");
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
