using System.Globalization;
using System.Text.RegularExpressions;

namespace PoolApi.EndToEnd.Harness.Service;

/// <summary>The last line of the log: how all accepted work ended.</summary>
internal sealed partial record ShutdownSummary(
    int Exit, int Accepted, int Completed, int Failed, int Cancelled, int Expired, int ClientGone, int NotStarted, int Abandoned,
    int Joined, int Workers)
{
    /// <summary>The line has this number only if it is not 0.</summary>
    public int TimedOut { get; init; }

    /// <summary>P1: each accepted item ended in exactly one way.</summary>
    public void MustAddUp() =>
        Assert.Equal(Accepted, Completed + Failed + Cancelled + Expired + ClientGone + NotStarted + Abandoned + TimedOut);

    /// <summary>Reads the line, which must have exactly the promised format; null for any other line.</summary>
    public static ShutdownSummary? Parse(string line)
    {
        var match = Line().Match(line);
        if (!match.Success)
            return null;
        int[] n = [.. match.Groups.Values.Skip(1).Select(group => group.Success ? int.Parse(group.Value, CultureInfo.InvariantCulture) : 0)];
        return new ShutdownSummary(n[0], n[1], n[2], n[3], n[4], n[5], n[6], n[7], n[8], n[10], n[11]) { TimedOut = n[9] };
    }

    [GeneratedRegex(
        @"Shutdown complete: exit (\d+), accepted (\d+), completed (\d+), failed (\d+), cancelled (\d+), expired (\d+), " +
        @"client gone (\d+), not started (\d+), abandoned (\d+)(?:, timed out (\d+))?, joined (\d+)/(\d+)\s*$")]
    private static partial Regex Line();
}
