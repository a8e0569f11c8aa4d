using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace PoolApi.Tests.Rooms;

/// <summary>
/// Finds the uses between the folders of a room: the types and extension methods of other folders that a file names, and the namespaces that it imports.
/// A folder is its path in the room; the root folder is "", and a folder and its subfolder are two.
/// </summary>
/// <remarks>
/// A name counts as a use of a type if the compiler would look there: in the namespaces around the file from the inside out, then in the imported
/// ones. An alias is a use of the type that it stands for. A global using, and a <c>Using</c> item of the project, is an import of every file.
/// </remarks>
internal sealed partial class FolderUses
{
    private readonly SourceFile[] _files;
    private readonly ILookup<(string Namespace, string Name), DeclaredType> _types;
    private readonly ILookup<string, DeclaredType> _extensions;
    private readonly HashSet<string> _namespaces;
    private readonly Dictionary<string, string> _folders; // by namespace, if one folder alone has it
    private readonly string[] _globalUsings;

    /// <param name="sources">The path of each file in the room, and its text.</param>
    /// <param name="projects">The texts of the room's project files.</param>
    public FolderUses(IEnumerable<(string Path, string Text)> sources, IEnumerable<string> projects)
    {
        _files = [.. sources.Select(static source => new SourceFile(source.Path, SourceCode.Of(source.Text)))];
        _types = _files.SelectMany(static file => file.Types).ToLookup(static type => (type.Namespace, type.Name));
        _extensions = _files.SelectMany(static file => file.Extensions).ToLookup(static method => method.Name, static method => method.Type);
        _namespaces = [.. _files.SelectMany(static file => Around(file.Namespace))];
        _folders = _files.Where(static file => file.Namespace.StartsWith("PoolApi", StringComparison.Ordinal))
            .Select(static file => (file.Namespace, file.Folder)).Distinct().GroupBy(static pair => pair.Namespace)
            .Where(static pairs => pairs.Count() == 1).ToDictionary(static pairs => pairs.Key, static pairs => pairs.Single().Folder);
        _globalUsings =
        [
            .. projects.SelectMany(static project => XDocument.Parse(project).Descendants("Using")).Select(static item => (string)item.Attribute("Include")!),
            .. _files.SelectMany(static file => file.GlobalUsings),
        ];
    }

    /// <summary>All uses, one for each file and name.</summary>
    public IEnumerable<FolderUse> All => _files.SelectMany(Uses).Distinct();

    private IEnumerable<FolderUse> Uses(SourceFile file)
    {
        IEnumerable<DeclaredType> types = Chain().Matches(file.Code).Select(static chain => Space().Replace(chain.Value, "")).Concat(_globalUsings)
            .SelectMany(chain => Resolve(file, chain.Split('.')))
            .Concat(Call().Matches(file.Code).SelectMany(call => _extensions[call.Groups[1].Value].Where(type => IsVisible(file, type.Namespace))));
        return types.Select(type => new FolderUse(file.Folder, type.Folder, file.Name, type.Name, type.IsPublic))
            .Concat(Imported(file).Where(_folders.ContainsKey).Select(space => new FolderUse(file.Folder, _folders[space], file.Name, space, true)))
            .Where(use => use.To != file.Folder);
    }

    private IEnumerable<DeclaredType> Resolve(SourceFile file, string[] names)
    {
        foreach (string outer in Around(file.Namespace))
        {
            string space = outer;
            foreach (string name in names)
            {
                if (TypesIn(space, name) is [_, ..] found) return found;
                space = space == "" ? name : $"{space}.{name}";
                if (!_namespaces.Contains(space)) break;
            }
        }
        return Imported(file).SelectMany(space => TypesIn(space, names[0]));
    }

    // A type that has parts in several folders is of all of them. An attribute is named without its suffix.
    private DeclaredType[] TypesIn(string space, string name) => [.. _types[(space, name)], .. _types[(space, name + "Attribute")]];

    private bool IsVisible(SourceFile file, string space) => Around(file.Namespace).Concat(Imported(file)).Contains(space);

    private IEnumerable<string> Imported(SourceFile file) => file.Usings.Concat(_globalUsings).Distinct();

    /// <summary>The namespace, those that contain it, and the global one.</summary>
    private static IEnumerable<string> Around(string space)
    {
        for (; space != ""; space = space.LastIndexOf('.') is >= 0 and var dot ? space[..dot] : "") yield return space;
        yield return "";
    }

    // A name after a dot is a member, or part of the chain that began before it.
    [GeneratedRegex(@"(?<![\w.])[A-Za-z_]\w*(?:\s*\.\s*[A-Za-z_]\w*)*")]
    private static partial Regex Chain();

    [GeneratedRegex(@"\.\s*(\w+)\s*[(<]")]
    private static partial Regex Call();

    [GeneratedRegex(@"\s+")]
    private static partial Regex Space();

    private sealed record DeclaredType(string Folder, string Namespace, string Name, bool IsPublic);

    private sealed partial class SourceFile
    {
        public SourceFile(string path, string code)
        {
            Name = Path.GetFileName(path);
            Folder = Path.GetDirectoryName(path)!.Replace('\\', '/');
            Code = EnumMember().Replace(code.Replace("global::", "", StringComparison.Ordinal), "");
            Namespace = NamespaceLine().Match(Code).Groups[1].Value;
            (int At, DeclaredType Type)[] types = [.. Declaration().Matches(Code).Where(type => IsOutermost(type.Index)).Select(type =>
                (type.Index, new DeclaredType(Folder, Namespace, type.Groups["name"].Value, type.Groups["modifiers"].Value.Contains("public", StringComparison.Ordinal))))];
            Types = [.. types.Select(static type => type.Type)];
            Extensions = [.. Extension().Matches(Code).Select(method => (method.Groups[1].Value, types.Last(type => type.At < method.Index).Type))];
            ILookup<bool, string> usings = Using().Matches(Code).ToLookup(static line => line.Groups["global"].Success, static line => line.Groups["space"].Value);
            Usings = [.. usings[false]];
            GlobalUsings = [.. usings[true]];
        }

        public string Name { get; }

        public string Folder { get; }

        public string Namespace { get; }

        public string Code { get; }

        public DeclaredType[] Types { get; }

        public (string Name, DeclaredType Type)[] Extensions { get; }

        public string[] Usings { get; }

        public string[] GlobalUsings { get; }

        private bool IsOutermost(int at) => Code.AsSpan(0, at).Count('{') == Code.AsSpan(0, at).Count('}');

        [GeneratedRegex(@"^namespace ([\w.]+);", RegexOptions.Multiline)]
        private static partial Regex NamespaceLine();

        [GeneratedRegex(@"^(?<global>global )?using (?:static )?(?:\w+ = )?(?<space>[\w.]+)", RegexOptions.Multiline)]
        private static partial Regex Using();

        // The name that a member declares, not the value that it may have.
        [GeneratedRegex(@"(?<=\benum\s[^{}]*\{[^{}]*)(?<=[{,\]]\s*)\w+(?=\s*[,=}])")]
        private static partial Regex EnumMember();

        [GeneratedRegex(@"(?<modifiers>(?:\b(?:public|internal|file|static|sealed|abstract|partial|readonly|ref|unsafe)\s+)*)\b(?:(?:class|struct|record(?:\s+(?:class|struct))?|interface|enum)\s+|delegate\s+[^;(]*?\s)(?!where\b|struct\b|class\b)(?<name>\w+)")]
        private static partial Regex Declaration();

        [GeneratedRegex(@"\b(\w+)\s*(?:<[^<>()]*>)?\s*\(\s*this\s")]
        private static partial Regex Extension();
    }
}

/// <summary>A file of one folder names a type or a namespace of another.</summary>
internal sealed record FolderUse(string From, string To, string File, string Name, bool IsPublic);
