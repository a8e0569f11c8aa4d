using System.Text;
using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace PoolApi.Packages.Tests.Support;

/// <summary>The C# of the documentation, as a project that the samples' build compiles: each snippet in a method or, if it declares types, in a file.</summary>
internal static partial class Snippets
{
    public const string Name = "Snippets";

    /// <summary>Snippets that another test runs or compares, and that are not compiled here: a page or a chapter of it, and the test's file.</summary>
    public static readonly IReadOnlyDictionary<string, string> TestedElsewhere = new Dictionary<string, string>
    {
        ["docs/clients.md"] = "PoolApi.EndToEnd/Clients/ClientPageTests.cs",
        ["docs/testing.md"] = "PoolApi.Deploy.Tests/TestingPageTests.cs",
        ["src/PoolApi.Aspire.Hosting/README.md#"] = "PoolApi.Deploy.Tests/AspireTests.cs",
        ["src/PoolApi.AspNetCore/README.md#In each kind of app"] = "PoolApi.Consumers.Tests/RecipeTests.cs",
        ["src/PoolApi.Jobs.AspNetCore/README.md#"] = "PoolApi.Consumers.Tests/JobsSampleTests.cs",
    };

    private static readonly string[] Packages = ["PoolApi.Dashboard", "PoolApi.Jobs.AspNetCore", "PoolApi.Jobs.PostgreSql", "PoolApi.Jobs.Sqlite"];

    /// <summary>Writes the project.</summary>
    /// <returns>How many snippets it has.</returns>
    public static int Write(string folder)
    {
        Directory.CreateDirectory(folder);
        new XElement("Project", new XAttribute("Sdk", "Microsoft.NET.Sdk.Web"),
            new XElement("PropertyGroup",
                new XElement("TargetFramework", "net10.0"), new XElement("Nullable", "enable"), new XElement("ImplicitUsings", "enable"), new XElement("OutputType", "Library"),
                // A snippet may leave values and functions unused, and may not await a call.
                new XElement("NoWarn", "CS1998;CS8321;CS0219;CS4014;CS1591")),
            new XElement("ItemGroup", Packages.Select(static package =>
                new XElement("PackageReference", new XAttribute("Include", package), new XAttribute("Version", Packable.Version)))))
            .Save(Path.Combine(folder, $"{Name}.csproj"));
        File.Copy(Path.Combine(Repository.Root, "tests", "PoolApi.Packages.Tests", "Snippets", "Context.cs"), Path.Combine(folder, "Context.cs"));
        int count = 0;
        foreach (string page in Pages())
        {
            string path = Path.GetRelativePath(Repository.Root, page).Replace('\\', '/');
            string text = File.ReadAllText(page);
            foreach (Match block in Block().Matches(text))
            {
                string chapter = Heading().Matches(text[..block.Index]).LastOrDefault()?.Groups[1].Value ?? "";
                if (TestedElsewhere.ContainsKey(path) || TestedElsewhere.ContainsKey($"{path}#{chapter}")) continue;
                int line = text.AsSpan(0, block.Index).Count('\n') + 2;
                File.WriteAllText(Path.Combine(folder, $"Snippet{++count}.cs"), Wrap(block.Groups[1].Value, $"../../{path}", line, count));
            }
        }
        return count;
    }

    // With the line directive, a compiler error names the line of the page.
    private static string Wrap(string code, string page, int line, int number)
    {
        var text = new StringBuilder();
        if (Types().IsMatch(code)) return text.Append($"namespace Snippet{number};\n#line {line} \"{page}\"\n{code}").ToString();
        (string Type, string Name)[] given =
        [
            ("WebApplicationBuilder", "builder"), ("WebApplication", "app"), ("FixedThreadPool", "pool"), ("IJobs", "jobs"),
            ("CancellationToken", "cancellationToken"), ("string", "connectionString"), ("string[]", "args"),
        ];
        IEnumerable<string> parameters = given.Where(parameter => !Regex.IsMatch(code, $@"\bvar {parameter.Name} =")).Select(static parameter => $"{parameter.Type} {parameter.Name}");
        return text.Append($"internal static class Snippet{number}\n{{\n    public static async Task RunAsync({string.Join(", ", parameters)})\n    {{\n#line {line} \"{page}\"\n{code}#line default\n    }}\n}}\n").ToString();
    }

    private static IEnumerable<string> Pages() =>
        ((string[])["README.md", "CONTRIBUTING.md"]).Select(static page => Path.Combine(Repository.Root, page))
            .Concat(((string[])["docs", "samples", "deploy"]).SelectMany(static folder => Directory.EnumerateFiles(Path.Combine(Repository.Root, folder), "*.md", SearchOption.AllDirectories)))
            .Concat(Directory.EnumerateDirectories(Path.Combine(Repository.Root, "src")).Select(static room => Path.Combine(room, "README.md")).Where(File.Exists))
            .Where(static page => !page.Contains("/bin/", StringComparison.Ordinal) && !page.Contains("/obj/", StringComparison.Ordinal))
            .Order(StringComparer.Ordinal);

    [GeneratedRegex(@"^```csharp\n(.*?)^```", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Block();

    [GeneratedRegex("^## (.+)$", RegexOptions.Multiline)]
    private static partial Regex Heading();

    [GeneratedRegex(@"^\s*(public|internal|file)? ?(sealed |static |partial )*(class|record|interface) \w+", RegexOptions.Multiline)]
    private static partial Regex Types();
}
