using System.Diagnostics;

namespace PoolApi.EndToEnd.Clients;

/// <summary>The generator, compiler and linter of Clients/package.json.</summary>
internal static class NodeTools
{
    /// <summary>How long a tool may run.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromMinutes(10);

    /// <summary>The folder of package.json.</summary>
    public static string Folder { get; } = Path.Combine(Repository.Root, "tests", "PoolApi.EndToEnd", "Clients");

    /// <summary>The folder of the installed packages.</summary>
    public static string Modules { get; } = Path.Combine(Folder, "node_modules");

    /// <summary>Skips the test if Node.js or the packages are not installed.</summary>
    public static void Require()
    {
        Tool.Require("node", "apt-get install nodejs npm; Node.js 20.19 or newer");
        // npm writes this file last.
        Tool.RequireFile(Path.Combine(Modules, ".package-lock.json"), "npm ci --prefix tests/PoolApi.EndToEnd/Clients");
    }

    /// <summary>Runs a tool to its end.</summary>
    public static Task<ProgramRun> RunAsync(string workingDirectory, string tool, params string[] arguments)
    {
        var start = new ProcessStartInfo(Path.Combine(Modules, ".bin", tool), arguments) { WorkingDirectory = workingDirectory };
        // Otherwise Redocly sends telemetry and looks for a newer version.
        start.Environment["REDOCLY_TELEMETRY"] = "off";
        start.Environment["REDOCLY_SUPPRESS_UPDATE_NOTICE"] = "true";
        return ProgramRun.ToEndAsync(start, Patience);
    }
}
