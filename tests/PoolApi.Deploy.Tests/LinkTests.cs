using System.Text.RegularExpressions;

namespace PoolApi.Deploy.Tests;

/// <summary>Every relative link of the documentation leads to a file or a heading that exists.</summary>
public sealed partial class LinkTests
{
    private static readonly string[] NotOurs = ["bin", "obj", "node_modules", ".git", "artifacts", "BenchmarkDotNet.Artifacts"];

    [Fact]
    public void Every_relative_link_leads_to_a_file_and_every_anchor_to_a_heading()
    {
        string[] pages = [.. Pages(Repository.Root)];
        Assert.Contains(Path.Combine(Repository.Root, "docs", "README.md"), pages);
        Assert.Empty(pages.SelectMany(Broken));
    }

    [Fact]
    public void The_index_leads_to_every_page_of_the_documentation()
    {
        string docs = Path.Combine(Repository.Root, "docs");
        string index = File.ReadAllText(Path.Combine(docs, "README.md"));
        Assert.All(
            Pages(docs).Select(page => Path.GetRelativePath(docs, page)).Where(static page => page != "README.md"),
            page => Assert.Contains($"]({page})", index, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("## Who may reach what", "who-may-reach-what")]
    [InlineData("# The log: `Limited`, always", "the-log-limited-always")]
    [InlineData("### One request, from its first byte to its response", "one-request-from-its-first-byte-to-its-response")]
    public void An_anchor_is_the_heading_in_small_letters_with_hyphens(string heading, string anchor) => Assert.Equal([anchor], Anchors(heading));

    private static IEnumerable<string> Broken(string page)
    {
        foreach (Match link in Link().Matches(Code().Replace(File.ReadAllText(page), "")))
        {
            string target = link.Groups[1].Value;
            if (target.Contains("://", StringComparison.Ordinal) || target.StartsWith("mailto:", StringComparison.Ordinal)) continue;
            string[] parts = target.Split('#', 2);
            string file = parts[0].Length == 0 ? page : Path.GetFullPath(Path.Combine(Path.GetDirectoryName(page)!, Uri.UnescapeDataString(parts[0])));
            bool leads = File.Exists(file) || Directory.Exists(file);
            if (leads && parts.Length == 2) leads = File.Exists(file) && Anchors(File.ReadAllText(file)).Contains(parts[1]);
            if (!leads) yield return $"{Path.GetRelativePath(Repository.Root, page)}: {target}";
        }
    }

    /// <summary>The anchors of a page's headings, as the usual hosts make them.</summary>
    private static IEnumerable<string> Anchors(string text) => Heading().Matches(Code().Replace(text, ""))
        .Select(static heading => NotInAnchors().Replace(heading.Groups[1].Value.Trim().ToLowerInvariant(), "").Replace(' ', '-'));

    /// <summary>The pages in a folder of the repository and below it.</summary>
    internal static IEnumerable<string> Pages(string folder) =>
        Directory.EnumerateFiles(folder, "*.md").Concat(Directory.EnumerateDirectories(folder).Where(static sub => !NotOurs.Contains(Path.GetFileName(sub))).SelectMany(Pages));

    [GeneratedRegex(@"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")]
    private static partial Regex Link();

    [GeneratedRegex("^#{1,6} (.+)$", RegexOptions.Multiline)]
    private static partial Regex Heading();

    [GeneratedRegex("^```.*?^```", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Code();

    [GeneratedRegex(@"[^\w\- ]")]
    private static partial Regex NotInAnchors();
}
