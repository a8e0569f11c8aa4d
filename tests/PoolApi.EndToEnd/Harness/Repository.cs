namespace PoolApi.EndToEnd.Harness;

/// <summary>Where the repository and the built service are, told from where the tests themselves lie.</summary>
internal static class Repository
{
    /// <summary>The folder that holds PoolApi.sln.</summary>
    public static string Root { get; } = FindRoot();

    /// <summary>Debug or Release: the configuration the tests were built with, so that they judge the same build of the service.</summary>
    public static string Configuration { get; } =
        AppContext.BaseDirectory.Contains($"{Path.DirectorySeparatorChar}Debug{Path.DirectorySeparatorChar}", StringComparison.Ordinal)
            ? "Debug"
            : "Release";

    /// <summary>The service as `dotnet build` leaves it.</summary>
    public static string ServiceAssembly { get; } = Path.Combine(Root, "src", "PoolApi", "bin", Configuration, "net10.0", "PoolApi.dll");

    /// <summary>The `dotnet` that runs these tests, or the one on the path.</summary>
    public static string DotNet { get; } = Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet";

    private static string FindRoot()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "PoolApi.sln")))
                return folder.FullName;
        }

        throw new InvalidOperationException($"no PoolApi.sln above {AppContext.BaseDirectory}");
    }
}
