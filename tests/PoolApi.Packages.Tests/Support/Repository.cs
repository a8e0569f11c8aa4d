using System.Xml.Linq;

namespace PoolApi.Packages.Tests.Support;

/// <summary>This repository's files.</summary>
internal static class Repository
{
    /// <summary>How this test was built, and so what it packs.</summary>
#if DEBUG
    public const string Configuration = "Debug";
#else
    public const string Configuration = "Release";
#endif

    public static string Root { get; } = Find();

    /// <summary>The one property that all versions come from.</summary>
    public static string Version { get; } =
        XDocument.Load(Path.Combine(Root, "Directory.Build.props")).Descendants("VersionPrefix").Single().Value;

    /// <summary>The projects that become packages.</summary>
    public static IReadOnlyList<string> PackableProjects { get; } =
    [
        .. ((string[])["src", "templates"]).Select(static folder => Path.Combine(Root, folder)).Where(Directory.Exists)
            .SelectMany(static folder => Directory.EnumerateFiles(folder, "*.csproj", new EnumerationOptions { RecurseSubdirectories = true, MaxRecursionDepth = 1 }))
            .Where(static file => XDocument.Load(file).Descendants("IsPackable").Any(static property => property.Value == "true"))
            .Order(StringComparer.Ordinal),
    ];

    private static string Find()
    {
        string? folder = AppContext.BaseDirectory;
        while (folder is not null && !File.Exists(Path.Combine(folder, "PoolApi.sln"))) folder = Path.GetDirectoryName(folder);
        return folder ?? throw new InvalidOperationException("These tests run inside of the repository.");
    }
}
