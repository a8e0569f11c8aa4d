using System.Reflection.PortableExecutable;
using System.Text;
using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace PoolApi.Packages.Tests;

/// <summary>The content of the packages and their dependencies.</summary>
public sealed partial class PackageTests(LocalFeed feed)
{
    /// <summary>Every library package with all of its dependencies.</summary>
    private static readonly Dictionary<string, string[]> Needs = new()
    {
        ["PoolApi.Threading"] = [],
        ["PoolApi.AspNetCore"] = ["Microsoft.AspNetCore.App", "PoolApi.Threading"],
        ["PoolApi.Aspire.Hosting"] = ["Aspire.Hosting"],
        ["PoolApi.Dashboard"] =
            ["Microsoft.AspNetCore.App", "Microsoft.AspNetCore.OpenApi", "PoolApi.AspNetCore", "PoolApi.Jobs", "PoolApi.Jobs.AspNetCore", "PoolApi.Threading"],
        ["PoolApi.Jobs"] = ["Microsoft.Extensions.Logging.Abstractions", "PoolApi.Threading"],
        ["PoolApi.Jobs.AspNetCore"] = ["Microsoft.AspNetCore.App", "Microsoft.AspNetCore.OpenApi", "PoolApi.AspNetCore", "PoolApi.Jobs", "PoolApi.Threading"],
        ["PoolApi.Jobs.PostgreSql"] = ["Microsoft.Extensions.Logging.Abstractions", "Npgsql", "PoolApi.Jobs"],
        ["PoolApi.Jobs.Sqlite"] = ["Microsoft.Data.Sqlite", "Microsoft.Extensions.Logging.Abstractions", "PoolApi.Jobs"],
    };

    /// <summary>What a package has beside its assembly and its documentation.</summary>
    private static readonly Dictionary<string, string[]> More = new()
    {
        ["PoolApi.AspNetCore"] = ["analyzers/dotnet/cs/PoolApi.AspNetCore.Analyzers.dll"],
    };

    private Package[] Libraries
    {
        get
        {
            Package[] libraries = [.. feed.Packages.Where(static package => package.Files.Any(static file => file.StartsWith("lib/", StringComparison.Ordinal)))];
            Assert.NotEmpty(libraries);
            return libraries;
        }
    }

    [Fact]
    public void Each_package_depends_on_what_it_needs_and_no_more() => Assert.Equal(
        Needs.Select(static pair => $"{pair.Key}: {string.Join(", ", pair.Value)}").Order(StringComparer.Ordinal),
        Libraries.Select(static package => $"{package.Id}: {string.Join(", ", package.Dependencies)}").Order(StringComparer.Ordinal));

    [Fact]
    public void Every_packed_project_lists_its_public_API_for_the_analyzer()
    {
        string[] rooms = [.. Packable.Projects.Where(static project => project.StartsWith(Path.Combine(Repository.Root, "src"), StringComparison.Ordinal))];
        Assert.Equal(Needs.Keys.Order(StringComparer.Ordinal), rooms.Select(Path.GetFileNameWithoutExtension).Order(StringComparer.Ordinal));
        Assert.All(rooms, static project =>
        {
            string[] lists = [.. ((string[])["Shipped", "Unshipped"]).Select(static name => $"PublicAPI.{name}.txt")];
            Assert.All(lists, list => Assert.Contains($"<AdditionalFiles Include=\"{list}\" />", File.ReadAllText(project), StringComparison.Ordinal));
            Assert.Contains("\"Microsoft.CodeAnalysis.PublicApiAnalyzers\"", File.ReadAllText(project), StringComparison.Ordinal);
            IEnumerable<string> lines = lists.SelectMany(list => File.ReadLines(Path.Combine(Path.GetDirectoryName(project)!, list)));
            Assert.Contains(lines, static line => line.Length > 0 && line[0] != '#');
        });
    }

    [Fact]
    public void Every_package_has_a_description_tags_a_licence_and_its_repository()
    {
        Assert.NotEmpty(feed.Packages);
        foreach (Package package in feed.Packages)
        {
            Assert.Equal((package.Id, Packable.Version), (package.Id, package.Value("version")));
            Assert.Equal((package.Id, "expression", "MIT"), (package.Id, package.Attribute("license", "type"), package.Value("license")));
            Assert.NotEqual((package.Id, "Package Description"), (package.Id, package.Value("description")));
            Assert.True(package.Value("description").Length > 40, package.Id);
            Assert.True(package.Value("tags").Split(' ').Length >= 3, package.Id);
            Assert.Equal((package.Id, LocalFeed.RepositoryUrl), (package.Id, package.Attribute("repository", "url")));
            Assert.Matches("^[0-9a-f]{40}$", package.Attribute("repository", "commit"));
            Assert.Equal((package.Id, "icon.png", "README.md"), (package.Id, package.Value("icon"), package.Value("readme")));
            Assert.Contains("icon.png", package.Files);
        }
        Assert.StartsWith("MIT License", File.ReadAllText(Path.Combine(Repository.Root, "LICENSE")), StringComparison.Ordinal);
    }

    [Fact]
    public void A_library_package_has_the_assembly_its_documentation_and_its_symbols()
    {
        foreach (Package package in Libraries)
        {
            string assembly = $"lib/net10.0/{package.Id}.dll";
            string[] files = [$"{package.Id}.nuspec", "README.md", "icon.png", assembly, $"lib/net10.0/{package.Id}.xml", .. More.GetValueOrDefault(package.Id, [])];
            Assert.Equal(files.Order(StringComparer.Ordinal), package.Files);
            Assert.NotEmpty(XDocument.Parse(Encoding.UTF8.GetString(package.Read($"lib/net10.0/{package.Id}.xml")).TrimStart('\uFEFF')).Descendants("summary"));

            // The assembly is deterministic: a second build gives the same bytes.
            using var image = new PEReader(new MemoryStream(package.Read(assembly)));
            Assert.Contains(image.ReadDebugDirectory(), static entry => entry.Type == DebugDirectoryEntryType.Reproducible);
            Assert.NotEmpty(package.Read($"lib/net10.0/{package.Id}.pdb", Path.ChangeExtension(package.File, ".snupkg")));
        }
    }

    [Fact]
    public void The_release_notes_are_the_changelogs_section_of_this_version()
    {
        string changelog = File.ReadAllText(Path.Combine(Repository.Root, "CHANGELOG.md"));
        Match section = Regex.Match(changelog, $@"(?ms)^## {Regex.Escape(Packable.Version)}\b[^\n]*\n(.*?)(?=^## |\z)");
        Assert.True(section.Success, $"CHANGELOG.md has no section {Packable.Version}");
        Assert.NotEmpty(feed.Packages);
        foreach (Package package in feed.Packages) Assert.Equal(section.Groups[1].Value.Trim(), package.Value("releaseNotes").ReplaceLineEndings("\n"));
    }

    [Fact]
    public void Every_link_in_a_package_README_is_absolute_or_an_anchor()
    {
        Assert.NotEmpty(feed.Packages);
        foreach (Package package in feed.Packages)
        {
            string readme = Encoding.UTF8.GetString(package.Read("README.md"));
            Assert.StartsWith($"# {package.Id}", readme.TrimStart('\uFEFF'), StringComparison.Ordinal);
            Assert.All(Link().Matches(readme).Select(static link => link.Groups[1].Value), static target => Assert.Matches("^(https://|#)", target));
        }
    }

    [Fact]
    public void The_README_of_a_library_has_a_code_example() => Assert.All(
        Libraries, static package => Assert.Contains("\n```csharp\n", Encoding.UTF8.GetString(package.Read("README.md")).ReplaceLineEndings("\n"), StringComparison.Ordinal));

    [GeneratedRegex(@"\]\(([^)\s]+)\)")]
    private static partial Regex Link();
}
