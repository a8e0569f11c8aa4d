using System.Xml.Linq;

namespace PoolApi.Packages.Tests.Support;

/// <summary>The projects that this repository packs, and their version.</summary>
internal static class Packable
{
    /// <summary>The one property that sets all versions.</summary>
    public static string Version { get; } =
        XDocument.Load(Path.Combine(Repository.Root, "Directory.Build.props")).Descendants("VersionPrefix").Single().Value;

    /// <summary>The projects that become packages.</summary>
    public static IReadOnlyList<string> Projects { get; } =
    [
        .. ((string[])["src", "templates"]).Select(static folder => Path.Combine(Repository.Root, folder)).Where(Directory.Exists)
            .SelectMany(static folder => Directory.EnumerateFiles(folder, "*.csproj", new EnumerationOptions { RecurseSubdirectories = true, MaxRecursionDepth = 1 }))
            .Where(static file => XDocument.Load(file).Descendants("IsPackable").Any(static property => property.Value == "true"))
            .Order(StringComparer.Ordinal),
    ];
}
