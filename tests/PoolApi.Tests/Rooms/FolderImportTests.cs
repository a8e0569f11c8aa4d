using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace PoolApi.Tests.Rooms;

/// <summary>Neither the rooms nor the folders of a room import each other in a cycle.</summary>
public sealed partial class FolderImportTests
{
    private static readonly string Source = Path.Combine(Repository.Root, "src");

    public static TheoryData<string> Rooms =>
        [.. Directory.EnumerateDirectories(Source).Select(static d => Path.GetFileName(d)).Where(static d => d != "Shared").Order(StringComparer.Ordinal)];

    [Theory, MemberData(nameof(Rooms))]
    public void The_folders_of_a_room_have_no_import_cycle(string room)
    {
        var imports = new SortedDictionary<string, SortedSet<string>>(StringComparer.Ordinal);
        foreach (string file in SourceFiles(room))
        {
            string text = File.ReadAllText(file);
            if (Namespace().Match(text) is not { Success: true } own) continue;
            SortedSet<string> of = imports.TryGetValue(own.Groups[1].Value, out var known) ? known : imports[own.Groups[1].Value] = [];
            foreach (Match import in Import().Matches(text))
            {
                string name = import.Groups[1].Value;
                if (name != own.Groups[1].Value && (name == room || name.StartsWith(room + ".", StringComparison.Ordinal))) of.Add(name);
            }
        }

        Assert.NotEmpty(imports);
        Assert.Empty(imports.Keys.Where(folder => Reaches(imports, folder, folder)).Select(folder => $"{folder} imports {string.Join(", ", imports[folder])}"));
    }

    [Fact]
    public void The_rooms_have_no_reference_cycle_and_only_the_service_references_the_stores()
    {
        var references = Directory.EnumerateFiles(Source, "*.csproj", SearchOption.AllDirectories).ToDictionary(
            static p => Path.GetFileNameWithoutExtension(p),
            static p => new SortedSet<string>(
                XDocument.Load(p).Descendants("ProjectReference").Select(static r => Path.GetFileNameWithoutExtension(r.Attribute("Include")!.Value.Replace('\\', '/'))),
                StringComparer.Ordinal),
            StringComparer.Ordinal);

        Assert.All(references.Keys, room => Assert.False(Reaches(references, room, room), room));
        Assert.Empty(references["PoolApi.Threading"]);
        Assert.All(references.Keys.Where(static room => room != "PoolApi"), room =>
        {
            Assert.False(Reaches(references, room, "PoolApi"), room);
            Assert.False(Reaches(references, room, "PoolApi.Jobs.Sqlite") || Reaches(references, room, "PoolApi.Jobs.PostgreSql"), room);
        });
    }

    private static IEnumerable<string> SourceFiles(string room) =>
        Directory.EnumerateFiles(Path.Combine(Source, room), "*.cs", SearchOption.AllDirectories)
            .Where(static f => !f.Split(Path.DirectorySeparatorChar).Any(static part => part is "bin" or "obj"));

    private static bool Reaches(IReadOnlyDictionary<string, SortedSet<string>> graph, string from, string to)
    {
        var seen = new HashSet<string>();
        var left = new Stack<string>(graph[from]);
        while (left.TryPop(out string? next))
        {
            if (next == to) return true;
            if (!seen.Add(next) || !graph.TryGetValue(next, out SortedSet<string>? more)) continue;
            foreach (string one in more) left.Push(one);
        }
        return false;
    }

    [GeneratedRegex(@"^namespace ([\w.]+);", RegexOptions.Multiline)]
    private static partial Regex Namespace();

    [GeneratedRegex(@"^using (?:static )?(PoolApi[\w.]*)", RegexOptions.Multiline)]
    private static partial Regex Import();
}
