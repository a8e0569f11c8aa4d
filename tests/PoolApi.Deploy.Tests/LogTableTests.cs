using System.Text.RegularExpressions;

namespace PoolApi.Deploy.Tests;

/// <summary>docs/log.md has each event of the product, with its number, its level and its text, and no other.</summary>
public sealed partial class LogTableTests
{
    private static readonly string[] Rows =
        [.. File.ReadLines(Path.Combine(Repository.Root, "docs", "log.md")).Where(static line => TextCell().IsMatch(line))];

    private static readonly (string File, string Declaration)[] Events =
    [
        .. Directory.EnumerateFiles(Path.Combine(Repository.Root, "src"), "*.cs", SearchOption.AllDirectories)
            .Where(static file => !file.Contains("/obj/", StringComparison.Ordinal))
            .SelectMany(static file => Declared().Matches(File.ReadAllText(file)).Select(match => (Path.GetFileName(file), match.Groups[1].Value))),
    ];

    [Fact]
    public void Every_event_has_its_row()
    {
        Assert.True(Events.Length > 40, $"{Events.Length} events were found");
        Assert.All(Events, static declared =>
        {
            (string id, string level, string text) = Read(declared.Declaration);
            Assert.NotEqual("", id);
            string row = Assert.Single(Rows, row => Text(row) == text);
            string[] cells = row.Split('|', StringSplitOptions.TrimEntries);
            Assert.EndsWith(id, cells[1], StringComparison.Ordinal);
            Assert.StartsWith(level, cells[2], StringComparison.Ordinal);
        });
    }

    [Fact]
    public void Every_row_has_its_event() => Assert.Equal(
        Events.Select(static declared => Read(declared.Declaration).Text).Order(StringComparer.Ordinal), Rows.Select(Text).Order(StringComparer.Ordinal));

    private static (string Id, string Level, string Text) Read(string declaration)
    {
        string text = string.Concat(Literal().Matches(declaration).Select(static literal => literal.Groups[1].Value));
        // No row has the counts at the end of the last line or the name of the pool. A row has the origin in its brackets.
        if (declaration.TrimEnd().EndsWith("Counts", StringComparison.Ordinal)) text += "…";
        text = text.Replace("{inPool}", "", StringComparison.Ordinal).Replace("{ofOrigin}", " ({origin})", StringComparison.Ordinal);
        return (Id().Match(declaration).Groups[1].Value, Level().Match(declaration).Groups[1].Value, text);
    }

    private static string Text(string row) => TextCell().Match(row).Groups[1].Value;

    [GeneratedRegex(@"\[LoggerMessage\((.*?)\)\]", RegexOptions.Singleline)]
    private static partial Regex Declared();

    [GeneratedRegex("\"((?:[^\"\\\\]|\\\\.)*)\"")]
    private static partial Regex Literal();

    [GeneratedRegex(@"^(?:EventId = )?\s*(\d+)")]
    private static partial Regex Id();

    [GeneratedRegex(@"LogLevel\.(\w+)")]
    private static partial Regex Level();

    [GeneratedRegex(@"^\|[^|]+\|[^|]+\| `([^`]+)` \|.*\|$")]
    private static partial Regex TextCell();
}
