using System.Globalization;
using System.Text;

namespace PoolApi.Threading;

/// <summary>The report of a pool's shutdown, with the pool's last snapshot. Immutable.</summary>
public sealed class ShutdownReport : PoolSnapshot
{
    internal ShutdownReport(PoolSnapshot last)
        : base(last)
    {
    }

    /// <summary>The number of workers that have no running thread, among all workers that the pool has ever had.</summary>
    public int WorkersJoined { get; internal init; }

    /// <summary>The workers whose threads did not end in time, with their items.</summary>
    public IReadOnlyList<WorkerSnapshot> NotJoined { get; internal init; } = [];

    /// <summary>
    /// The accepted items that were handed back without having run, by priority and then by age. Those that belong to calls, tasks and
    /// callbacks are among them and cannot be submitted again, because their callers already know that the pool did not run them.
    /// </summary>
    public IReadOnlyList<PoolWorkItem> NotStarted { get; internal init; } = [];

    /// <summary>
    /// The number of items that the shutdown interrupted. An item counts if it was in flight when the pool cancelled running items (after the
    /// deadline, or by <see cref="FixedThreadPool.CancelAll"/>) and did not complete. Every abandoned item counts too. If this is 0 and
    /// <see cref="NotStarted"/> is empty, the shutdown lost no work.
    /// </summary>
    public int Interrupted { get; internal init; }

    /// <summary>The duration of the shutdown.</summary>
    internal TimeSpan Elapsed { get; init; }

    /// <summary>Formats the report as one line for a log.</summary>
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
            text.Append(CultureInfo.InvariantCulture, $", {worker.Name} ");
            if (worker.Elapsed is not { } elapsed)
            {
                text.Append("has no item");
                continue;
            }
            text.Append(CultureInfo.InvariantCulture, $"has been running {worker.Kind ?? "work"}"); // the labels of its item may be unreadable
            if (worker.Origin is not null) text.Append(CultureInfo.InvariantCulture, $" ({worker.Origin})");
            text.Append(CultureInfo.InvariantCulture, $" for {elapsed.TotalSeconds:F1} s");
        }
        return text.ToString();
    }

    private static void Append(StringBuilder text, long count, string what)
    {
        if (count > 0) text.Append(CultureInfo.InvariantCulture, $", {count} {what}");
    }

    /// <summary>Reads a label from an item, which is code of a caller. If it throws, the report is readable anyway.</summary>
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
