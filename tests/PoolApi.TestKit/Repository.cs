namespace PoolApi.TestKit;

/// <summary>Where this repository is, found from the folder of the test assembly.</summary>
public static class Repository
{
    /// <summary>The folder that holds PoolApi.sln.</summary>
    public static string Root { get; } = FindRoot();

    /// <summary>Debug or Release: the configuration that the tests were built with. They test the same build of everything else.</summary>
    public static string Configuration { get; } =
        AppContext.BaseDirectory.Contains($"{Path.DirectorySeparatorChar}Debug{Path.DirectorySeparatorChar}", StringComparison.Ordinal)
            ? "Debug"
            : "Release";

    /// <summary>The assembly of the service that `dotnet build` makes.</summary>
    public static string ServiceAssembly { get; } = Path.Combine(Root, "src", "PoolApi", "bin", Configuration, "net10.0", "PoolApi.dll");

    /// <summary>The `dotnet` that runs these tests, or the one on the path.</summary>
    public static string DotNet { get; } = Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet";

    private static string FindRoot()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "PoolApi.sln"))) return folder.FullName;
        }
        throw new InvalidOperationException($"There is no PoolApi.sln above {AppContext.BaseDirectory}.");
    }
}
