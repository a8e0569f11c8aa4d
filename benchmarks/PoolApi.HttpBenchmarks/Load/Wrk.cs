using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;
using PoolApi.HttpBenchmarks.Contenders;

namespace PoolApi.HttpBenchmarks.Load;

/// <summary>Measures how many requests with next to no work a server answers: by wrk, or by a <see cref="ClosedLoop"/> if wrk is not
/// installed. wrk is written in C and leaves more of the processors to the server.</summary>
internal static partial class Wrk
{
    private const int Connections = 32;

    private static readonly string? Program = InstalledPrograms.Find("wrk");

    public static string Description => Program is null ? $"closed loop of {Connections} connections" : $"wrk -t1 -c{Connections}";

    /// <returns>The number of requests served per second.</returns>
    public static double Run(Target target, TimeSpan duration)
    {
        if (Program is null) return ClosedLoop.Run(target, Connections, duration);
        int seconds = Math.Max(1, (int)Math.Round(duration.TotalSeconds));
        var start = new ProcessStartInfo(Program, ["-t1", $"-c{Connections}", $"-d{seconds}s", target.Url.AbsoluteUri]);
        start.RedirectStandardOutput = true;
        using Process wrk = Process.Start(start)!;
        string output = wrk.StandardOutput.ReadToEnd();
        wrk.WaitForExit();
        Match rate = Rate().Match(output);
        if (wrk.ExitCode != 0 || !rate.Success || output.Contains("Non-2xx", StringComparison.Ordinal))
            throw new InvalidOperationException($"wrk against {target.Url}: {output}");
        return double.Parse(rate.Groups[1].ValueSpan, CultureInfo.InvariantCulture);
    }

    [GeneratedRegex(@"Requests/sec:\s+([0-9.]+)")]
    private static partial Regex Rate();
}
