using System.Globalization;
using System.Text.RegularExpressions;

namespace PoolApi.EndToEnd.Harness.Http;

/// <summary>Reads the Server-Timing header of an answer.</summary>
internal static partial class ServerTiming
{
    /// <summary>The header must have the queue time, the run time and the worker's name. Returns the two times in milliseconds.</summary>
    public static (double Queue, double Run) MustBeComplete(Answer answer, string pool, int workers)
    {
        string header = answer.Header("Server-Timing") ?? "";
        var queue = Queue().Match(header);
        var run = Run().Match(header);
        var worker = Worker().Match(header);
        Assert.True(queue.Success && run.Success && worker.Success, $"Server-Timing is '{header}'");
        Assert.Contains(worker.Groups[1].Value, Enumerable.Range(0, workers).Select(id => $"{pool}-{id}"));
        return (Number(queue), Number(run));
    }

    private static double Number(Match match) => double.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture);

    [GeneratedRegex(@"(?:^|,)\s*queue;dur=(\d+(?:\.\d+)?)\s*(?:,|$)")]
    private static partial Regex Queue();

    [GeneratedRegex(@"(?:^|,)\s*run;dur=(\d+(?:\.\d+)?)\s*(?:,|$)")]
    private static partial Regex Run();

    [GeneratedRegex(@"(?:^|,)\s*worker;desc=""([^""]+)""\s*(?:,|$)")]
    private static partial Regex Worker();
}
