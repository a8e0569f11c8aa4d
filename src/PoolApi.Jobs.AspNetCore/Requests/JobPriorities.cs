using PoolApi.Threading;

namespace PoolApi.Jobs.AspNetCore.Requests;

/// <summary>A job's priority as a word.</summary>
internal static class JobPriorities
{
    public static IReadOnlyList<string> Words { get; } = ["high", "normal", "low"];

    public static string ToWord(this WorkPriority priority) => priority switch
    {
        WorkPriority.High => "high",
        WorkPriority.Low => "low",
        _ => "normal",
    };

    public static bool TryParse(string word, out WorkPriority priority)
    {
        foreach (WorkPriority each in (ReadOnlySpan<WorkPriority>)[WorkPriority.High, WorkPriority.Normal, WorkPriority.Low])
        {
            priority = each;
            if (string.Equals(word, each.ToWord(), StringComparison.OrdinalIgnoreCase)) return true;
        }
        priority = WorkPriority.Normal;
        return false;
    }
}
