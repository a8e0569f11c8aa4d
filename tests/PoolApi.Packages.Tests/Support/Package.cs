using System.IO.Compression;
using System.Xml.Linq;

namespace PoolApi.Packages.Tests.Support;

/// <summary>A package file of a feed.</summary>
internal sealed class Package
{
    public Package(string file)
    {
        File = file;
        using ZipArchive archive = ZipFile.OpenRead(file);
        // The other entries belong to the package format.
        Files = [.. archive.Entries.Select(static entry => entry.FullName).Where(static name => !name.StartsWith("_rels/", StringComparison.Ordinal)
            && !name.StartsWith("package/", StringComparison.Ordinal) && name != "[Content_Types].xml").Order(StringComparer.Ordinal)];
        using Stream nuspec = archive.Entries.Single(static entry => entry.FullName.EndsWith(".nuspec", StringComparison.Ordinal)).Open();
        Metadata = XDocument.Load(nuspec).Root!.Elements().Single();
    }

    public string File { get; }

    public IReadOnlyList<string> Files { get; }

    public XElement Metadata { get; }

    public string Id => Value("id");

    /// <summary>The packages and shared frameworks that it depends on.</summary>
    public IReadOnlyList<string> Dependencies =>
        [.. Metadata.Descendants().Where(static e => e.Name.LocalName is "dependency").Select(static e => (string)e.Attribute("id")!)
            .Concat(Metadata.Descendants().Where(static e => e.Name.LocalName is "frameworkReference").Select(static e => (string)e.Attribute("name")!))
            .Order(StringComparer.Ordinal)];

    public string Value(string name) => Metadata.Elements().SingleOrDefault(e => e.Name.LocalName == name)?.Value ?? "";

    public string? Attribute(string element, string name) => (string?)Metadata.Elements().SingleOrDefault(e => e.Name.LocalName == element)?.Attribute(name);

    public byte[] Read(string entry, string? file = null)
    {
        using ZipArchive archive = ZipFile.OpenRead(file ?? File);
        using Stream stream = archive.GetEntry(entry)!.Open();
        using var bytes = new MemoryStream();
        stream.CopyTo(bytes);
        return bytes.ToArray();
    }

    public override string ToString() => Id;
}
