using System.Diagnostics;

namespace PoolApi.HttpBenchmarks.Contenders;

/// <summary>The service, as a process of its own.</summary>
internal static class PoolApiProgram
{
    /// <summary>Starts it on free ports, and returns once it is healthy.</summary>
    /// <param name="path">A published program, or a .dll; <see langword="null"/>: the one that was built here.</param>
    /// <param name="settings">Arguments of its command line: keys and values.</param>
    public static ServerProcess Start(string? path, params IEnumerable<string> settings)
    {
        path ??= Built();
        bool isAssembly = Path.GetExtension(path) == ".dll";
        int port = FreePort.Next(), managementPort = FreePort.Next();
        return ServerProcess.Start(
            new ProcessStartInfo(isAssembly ? "dotnet" : path,
            [
                .. isAssembly ? [path] : Array.Empty<string>(),
                "--Urls", $"http://127.0.0.1:{port}", "--Management:Urls", $"http://127.0.0.1:{managementPort}",
                .. settings,
            ]),
            Routes.OfPoolApi(port, managementPort));
    }

    private static string Built()
    {
        string? folder = AppContext.BaseDirectory;
        while (folder is not null && !File.Exists(Path.Combine(folder, "PoolApi.sln"))) folder = Path.GetDirectoryName(folder);
        string path = Path.Combine(folder ?? "", "src", "PoolApi", "bin", "Release", "net10.0", "PoolApi.dll");
        return File.Exists(path) ? path : throw new FileNotFoundException($"{path} is not there: build it with -c Release, or say --poolapi PATH.");
    }
}
