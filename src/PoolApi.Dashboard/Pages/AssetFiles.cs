using System.Collections.Frozen;
using System.Reflection;
using System.Text;
using System.Text.RegularExpressions;

namespace PoolApi.Dashboard.Pages;

/// <summary>The embedded files of the pages. References between them are replaced with the hashed names.</summary>
/// <remarks>A module's hash covers the hashes of its imports, so no page mixes modules of two versions.</remarks>
internal sealed partial class AssetFiles
{
    private readonly Dictionary<string, Asset> _byName = new(StringComparer.Ordinal);

    private AssetFiles(Assembly assembly)
    {
        var sources = assembly.GetManifestResourceNames().ToDictionary(static n => n, n => Read(assembly, n), StringComparer.Ordinal);
        foreach (string name in sources.Keys) Load(name, sources, []);
        ByHashedName = _byName.Where(static a => !a.Key.EndsWith(".html", StringComparison.Ordinal))
            .ToFrozenDictionary(static a => a.Value.HashedName, static a => a.Value, StringComparer.Ordinal);
    }

    /// <summary>The files of this package.</summary>
    public static AssetFiles Own { get; } = new(typeof(AssetFiles).Assembly);

    /// <summary>All files except the pages themselves.</summary>
    public FrozenDictionary<string, Asset> ByHashedName { get; }

    public Asset Page(string name) => _byName[name];

    private Asset Load(string name, Dictionary<string, string> sources, HashSet<string> loading)
    {
        if (_byName.TryGetValue(name, out Asset? known)) return known;
        if (!loading.Add(name)) throw new InvalidOperationException($"{name} imports itself.");
        string text = Reference().Replace(sources[name], match => sources.ContainsKey(match.Groups[1].Value)
            ? $"\"{(name.EndsWith(".html", StringComparison.Ordinal) ? "assets/" : "./")}{Load(match.Groups[1].Value, sources, loading).HashedName}\""
            : throw new InvalidOperationException($"{name} refers to {match.Groups[1].Value}, which is not there."));
        loading.Remove(name);
        return _byName[name] = new Asset(name, Encoding.UTF8.GetBytes(text));
    }

    private static string Read(Assembly assembly, string name)
    {
        using var reader = new StreamReader(assembly.GetManifestResourceStream(name)!, Encoding.UTF8);
        return reader.ReadToEnd();
    }

    [GeneratedRegex("""
        "(?:\./|assets/)([a-z-]+\.(?:css|js|svg))"
        """, RegexOptions.None, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Reference();
}
