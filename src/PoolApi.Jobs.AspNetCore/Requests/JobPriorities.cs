using PoolApi.Threading;

namespace PoolApi.Jobs.AspNetCore.Requests;

/// <summary>A job's priority as a word.</summary>
internal static class JobPriorities
{
    /// <summary>The name of their type in OpenAPI.</summary>
    public const string TypeName = "JobPriority";

    public static IReadOnlyList<(string Word, WorkPriority Value)> All { get; } =
        [("high", WorkPriority.High), ("normal", WorkPriority.Normal), ("low", WorkPriority.Low)];

    public static IEnumerable<string> Words => All.Select(static each => each.Word);

    public static string ToWord(this WorkPriority priority)
    {
        foreach ((string word, WorkPriority value) in All)
        {
            if (value == priority) return word;
        }
        throw new ArgumentOutOfRangeException(nameof(priority), priority, "It is no priority.");
    }
}
