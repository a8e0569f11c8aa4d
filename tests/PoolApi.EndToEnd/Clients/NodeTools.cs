using System.Diagnostics;

namespace PoolApi.EndToEnd.Clients;

/// <summary>The generator, compiler and linter of Clients/package.json.</summary>
internal static class NodeTools
{
    /// <summary>How long one may take.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromMinutes(10);

    /// <summary>Where package.json is.</summary>
    public static string Folder { get; } = Path.Combine(Repository.Root, "tests", "PoolApi.EndToEnd", "Clients");

    /// <summary>Where the packages are.</summary>
    public static string Modules { get; } = Path.Combine(Folder, "node_modules");

    /// <summary>Skips the test where they are not installed.</summary>
    public static void Require()
    {
        Tool.Require("node", "apt-get install nodejs npm; Node.js 20.19 or newer");
        // npm writes it last.
        Tool.RequireFile(Path.Combine(Modules, ".package-lock.json"), "npm ci --prefix tests/PoolApi.EndToEnd/Clients");
    }

    /// <summary>Runs one to its end.</summary>
    public static Task<ProgramRun> RunAsync(string workingDirectory, string tool, params string[] arguments)
    {
        var start = new ProcessStartInfo(Path.Combine(Modules, ".bin", tool), arguments) { WorkingDirectory = workingDirectory };
        // Redocly asks the network otherwise.
        start.Environment["REDOCLY_TELEMETRY"] = "off";
        start.Environment["REDOCLY_SUPPRESS_UPDATE_NOTICE"] = "true";
        return ProgramRun.ToEndAsync(start, Patience);
    }
}
