using System.Diagnostics;

[assembly: AssemblyFixture(typeof(AotPublication))]

namespace PoolApi.EndToEnd.Harness.Service;

/// <summary>The service as Native AOT, published once per test run, when the first test needs it. A warning
/// is an error. POOLAPI_AOT_DIR may name a folder with a published service, which is then used.</summary>
public sealed class AotPublication : IDisposable
{
    private const string ZlibHeader = "/usr/include/zlib.h";

    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(30);
    private static readonly Lazy<Task<(TemporaryFolder Folder, ProgramRun Run)>> Publishing = new(PublishAsync);

    /// <summary>Whether a published service is available, or a compiler to publish one.</summary>
    internal static bool IsPossible { get; } =
        Environment.GetEnvironmentVariable("POOLAPI_AOT_DIR") is { Length: > 0 } || (Compiler is not null && File.Exists(ZlibHeader));

    /// <summary>The binary, ready to start.</summary>
    internal static async Task<string> BinaryAsync()
    {
        if (Environment.GetEnvironmentVariable("POOLAPI_AOT_DIR") is { Length: > 0 } given)
            return Path.Combine(given, "PoolApi");
        RequireCompiler();
        var (folder, run) = await Publishing.Value;
        Assert.True(run.ExitCode == 0, $"dotnet publish ended with {run.ExitCode}:\n{run.Text}");
        return Path.Combine(folder.Path, "published", "PoolApi");
    }

    /// <inheritdoc />
    public void Dispose()
    {
        if (Publishing is { IsValueCreated: true, Value.IsCompletedSuccessfully: true })
            Publishing.Value.Result.Folder.Dispose();
    }

    private static string? Compiler => Tool.Find("clang") ?? Tool.Find("gcc");

    private static void RequireCompiler()
    {
        const string Install = "apt-get install gcc zlib1g-dev";
        if (Compiler is null)
            Tool.Missing("A C compiler to link Native AOT with", Install);
        Tool.RequireFile(ZlibHeader, Install);
    }

    private static async Task<(TemporaryFolder Folder, ProgramRun Run)> PublishAsync()
    {
        var folder = new TemporaryFolder();
        ProcessStartInfo start = ProgramRun.Apart(
            Repository.Root, Repository.DotNet,
            "publish", "src/PoolApi", "-c", "Release", "-r", "linux-x64",
            "-o", Path.Combine(folder.Path, "published"),
            // A separate obj/, so that the build that the other tests run from stays unchanged.
            "--artifacts-path", Path.Combine(folder.Path, "artifacts"),
            "-p:RestoreLockedMode=true", "-warnaserror",
            // Debug symbols are two thirds of what is compiled and linked, and no test reads them.
            "-p:NativeDebugSymbols=false",
            "-p:CppCompilerAndLinker=" + (Tool.Find("clang") is null ? "gcc" : "clang"),
            // No build server may outlive the test run.
            "--disable-build-servers", "-nologo");
        return (folder, await ProgramRun.ToEndAsync(start, Patience));
    }
}
