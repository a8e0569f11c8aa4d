using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;
using PoolApi.HttpBenchmarks.Contenders;

namespace PoolApi.HttpBenchmarks.Load;

/// <summary>
/// Measures how many requests a server answers that is never overloaded: by wrk, or by a <see cref="ClosedLoop"/> if wrk is not installed. wrk is written in C
/// and leaves more of the processors to the server.
/// </summary>
/// <remarks>At its end wrk closes its connections without waiting for the last responses. To overload control these are clients that disconnect.</remarks>
internal static partial class Wrk
{
    private static readonly string? Program = InstalledPrograms.Find("wrk");

    public static bool IsInstalled => Program is not null;

    public static string Describe(int connections) => IsInstalled ? $"wrk -t1 -c{connections}" : $"closed loop of {connections} connections";

    /// <returns>The number of requests served per second.</returns>
    public static double Run(Target target, int connections, TimeSpan duration)
    {
        if (Program is null) return ClosedLoop.Run(target, connections, duration);
        int seconds = Math.Max(1, (int)Math.Round(duration.TotalSeconds));
        var start = new ProcessStartInfo(
            Program, ["-t1", $"-c{connections}", $"-d{seconds}s", .. target.IsPlain ? Array.Empty<string>() : ["-s", WriteScript(target)], target.Url.AbsoluteUri]);
        start.RedirectStandardOutput = true;
        using Process wrk = Process.Start(start)!;
        string output = wrk.StandardOutput.ReadToEnd();
        wrk.WaitForExit();
        Match rate = Rate().Match(output);
        if (wrk.ExitCode != 0 || !rate.Success || output.Contains("Non-2xx", StringComparison.Ordinal))
            throw new InvalidOperationException($"wrk against {target.Url}: {output}");
        return double.Parse(rate.Groups[1].ValueSpan, CultureInfo.InvariantCulture);
    }

    /// <summary>Writes a script by which wrk sends the target's own bytes.</summary>
    private static string WriteScript(Target target)
    {
        string request = ScriptFolder.Write("request", target.Request.Span);
        return ScriptFolder.Write("request.lua", $"""
            local file = io.open("{request}", "rb")
            local bytes = file:read("*a")
            file:close()
            request = function() return bytes end
            """);
    }

    [GeneratedRegex(@"Requests/sec:\s+([0-9.]+)")]
    private static partial Regex Rate();
}
