using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace PoolApi.Deploy.Tests;

/// <summary>The diagram of docs/architecture.md matches the references between the projects.</summary>
public sealed partial class ArchitecturePageTests
{
    /// <summary>The first project only starts the service, and the second one runs in the compiler. Neither references another project.</summary>
    private static readonly string[] NotInThePicture = ["PoolApi.Aspire.Hosting", "PoolApi.AspNetCore.Analyzers"];

    [Fact]
    public void The_diagram_shows_the_references_between_the_projects()
    {
        string picture = Picture().Match(File.ReadAllText(Path.Combine(Repository.Root, "docs", "architecture.md"))).Groups[1].Value;
        Dictionary<string, string> rooms = Room().Matches(picture).ToDictionary(static room => room.Groups[1].Value, static room => room.Groups[2].Value);
        var folders = new EnumerationOptions { RecurseSubdirectories = true, MaxRecursionDepth = 1 };
        Dictionary<string, string[]> uses = Directory.EnumerateFiles(Path.Combine(Repository.Root, "src"), "*.csproj", folders)
            .ToDictionary(static project => Path.GetFileNameWithoutExtension(project), References);

        Assert.All(NotInThePicture, room => Assert.Empty(uses[room]));
        Assert.Equal(uses.Keys.Where(static room => !NotInThePicture.Contains(room)).Order(StringComparer.Ordinal), rooms.Values.Order(StringComparer.Ordinal));
        // The diagram leaves out an arrow that follows from others.
        Assert.Equal(
            uses.SelectMany(user => user.Value.Where(used => !user.Value.Any(other => Reaches(other, used))).Select(used => $"{user.Key} → {used}"))
                .Order(StringComparer.Ordinal),
            Arrow().Matches(picture).Select(arrow => $"{rooms[arrow.Groups[1].Value]} → {rooms[arrow.Groups[2].Value]}").Order(StringComparer.Ordinal));

        static string[] References(string project) => [.. XDocument.Load(project).Descendants("ProjectReference")
            .Select(static used => Path.GetFileNameWithoutExtension((string)used.Attribute("Include")!))];

        bool Reaches(string from, string to) => uses[from].Any(next => next == to || Reaches(next, to));
    }

    [GeneratedRegex("^```mermaid\n(.*?)^```", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Picture();

    [GeneratedRegex(@"(\w+)\[""([\w.]+):")]
    private static partial Regex Room();

    [GeneratedRegex(@"(\w+)(?:\[[^\]]*\])? --> (\w+)")]
    private static partial Regex Arrow();
}
