using System.Diagnostics;

namespace PoolApi.EndToEnd.Clients;

/// <summary>The generators of .config/dotnet-tools.json.</summary>
internal static class DotNetTools
{
    // Kiota limits the real time of its regular expressions. A busy machine exceeds that limit with any document.
    private const string OutOfTime = "The Regex engine has timed out";
    private const int MostAttempts = 10;

    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(10);

    /// <summary>Runs a generator, which must succeed. Skips the test if the tool is not restored.</summary>
    public static async Task RunAsync(string tool, params string[] arguments)
    {
        var start = new ProcessStartInfo(Repository.DotNet, ["tool", "run", tool, "--", .. arguments]) { WorkingDirectory = Repository.Root };
        // Otherwise Kiota looks for a newer version of itself on the network.
        start.Environment["KIOTA_OFFLINE_ENABLED"] = "true";
        start.Environment["KIOTA_TUTORIAL_ENABLED"] = "false";
        ProgramRun run;
        int attempts = 0;
        do
        {
            run = await ProgramRun.ToEndAsync(start, Patience);
            attempts++;
        }
        while (run.Text.Contains(OutOfTime, StringComparison.Ordinal) && attempts < MostAttempts);
        if (run.ExitCode != 0 && run.Text.Contains("dotnet tool restore", StringComparison.Ordinal))
            Tool.Missing(tool, "dotnet tool restore");
        run.MustSucceed();
    }
}
