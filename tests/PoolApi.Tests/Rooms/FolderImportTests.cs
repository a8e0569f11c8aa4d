using System.Xml.Linq;

namespace PoolApi.Tests.Rooms;

/// <summary>Neither the rooms nor the folders of a room import each other in a cycle. There is no list of exceptions.</summary>
/// <remarks>
/// The root folder of a room holds its public API and its set-up. It may use every folder of the room, and a folder may use the public types of the
/// root folder, and no others. Between all other folders, a folder and its subfolder included, the uses have no cycle. <c>src/Shared</c> is held to the
/// same rule. <see cref="FolderUses"/> says what a use is.
/// </remarks>
public sealed class FolderImportTests
{
    private static readonly string Source = Path.Combine(Repository.Root, "src");

    public static TheoryData<string> Rooms => [.. Directory.EnumerateDirectories(Source).Select(static d => Path.GetFileName(d)).Order(StringComparer.Ordinal)];

    [Theory, MemberData(nameof(Rooms))]
    public void The_folders_of_a_room_have_no_import_cycle(string room)
    {
        FolderUse[] uses = [.. UsesIn(room).Where(static use => use is { From: not "", To: not "" })];
        Dictionary<string, SortedSet<string>> graph = uses.GroupBy(static use => use.From)
            .ToDictionary(static of => of.Key, static of => new SortedSet<string>(of.Select(static use => use.To), StringComparer.Ordinal));

        Assert.Empty(uses.Where(use => graph.ContainsKey(use.To) && Reaches(graph, use.To, use.From)).Select(Line).Order(StringComparer.Ordinal));
    }

    [Theory, MemberData(nameof(Rooms))]
    public void A_folder_uses_only_public_types_of_the_root_folder(string room) =>
        Assert.Empty(UsesIn(room).Where(static use => use is { To: "", IsPublic: false }).Select(Line).Order(StringComparer.Ordinal));

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

    private static IEnumerable<FolderUse> UsesIn(string room)
    {
        string folder = Path.Combine(Source, room);
        (string, string)[] files =
        [
            .. Directory.EnumerateFiles(folder, "*.cs", SearchOption.AllDirectories).Select(file => Path.GetRelativePath(folder, file))
                .Where(static file => file.Split(Path.DirectorySeparatorChar)[0] is not ("bin" or "obj"))
                .Select(file => (file, File.ReadAllText(Path.Combine(folder, file)))),
        ];
        Assert.NotEmpty(files);
        return new FolderUses(files, Directory.EnumerateFiles(folder, "*.csproj").Select(File.ReadAllText)).All;
    }

    private static string Line(FolderUse use) => $"{use.From} → {(use.To == "" ? "root" : use.To)}: {use.File} uses {use.Name}";

    private static bool Reaches(Dictionary<string, SortedSet<string>> graph, string from, string to)
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
}
