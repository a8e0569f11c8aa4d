using System.Text.RegularExpressions;

namespace PoolApi.Threading.Tests.SourceRules;

/// <summary>The lists of the public API, which an analyzer compares with the code.</summary>
public sealed partial class PublicApiTests
{
    private static readonly string Source = Path.Combine(Repository.Root, "src");

    private static readonly string[] Names =
    [
        .. Directory.EnumerateFiles(Source, "PublicAPI.Unshipped.txt", new EnumerationOptions { RecurseSubdirectories = true, MaxRecursionDepth = 1 })
            .Select(static list => Path.GetFileName(Path.GetDirectoryName(list)!)).Order(StringComparer.Ordinal),
    ];

    public static TheoryData<string> Rooms => [.. Names];

    [Theory]
    [MemberData(nameof(Rooms))]
    public void Each_parameter_that_is_a_token_is_named_cancellationToken(string room) =>
        Assert.DoesNotContain(LinesOf(room), static line => TokenParameters().Matches(line).Any(static token => token.Groups[1].Value != "cancellationToken"));

    [Fact]
    public void The_check_finds_the_eight_lists_and_their_token_parameters()
    {
        Assert.Equal(8, Names.Length);
        Assert.Equal("token", TokenParameters().Match("A.B(int x, System.Threading.CancellationToken token) -> void").Groups[1].Value);
        Assert.Contains(LinesOf("PoolApi.Threading"), static line => TokenParameters().IsMatch(line));
    }

    [Fact]
    public void The_public_API_of_the_pool_does_not_mention_HTTP_or_overload_control()
    {
        Assert.DoesNotContain(LinesOf("PoolApi.Threading"), static line => ForeignNames().IsMatch(line));
        string[] comments =
        [
            .. Directory.EnumerateFiles(Path.Combine(Source, "PoolApi.Threading"), "*.cs").SelectMany(File.ReadLines).Select(static line => line.Trim())
                .Where(static line => line.StartsWith("///", StringComparison.Ordinal)),
        ];
        Assert.NotEmpty(comments);
        Assert.DoesNotContain(comments, static line => ForeignWords().IsMatch(line));
        Assert.Matches(ForeignNames(), "PoolApi.Threading.WorkOutcome.ClientGone = 8 -> PoolApi.Threading.WorkOutcome");
        Assert.Matches(ForeignWords(), "/// the client that has waited longest");
    }

    /// <summary>The lines of a project's lists, shipped and unshipped.</summary>
    internal static IEnumerable<string> LinesOf(string room) =>
        Directory.EnumerateFiles(Path.Combine(Source, room), "PublicAPI.*.txt").SelectMany(File.ReadLines)
            .Where(static line => line.Length > 0 && line[0] != '#');

    [GeneratedRegex(@"\bCancellationToken (\w+)")]
    private static partial Regex TokenParameters();

    [GeneratedRegex("Http|Client|Request|Response|Endpoint|Route|Header|Middleware|Overload|Shed|Logg")]
    private static partial Regex ForeignNames();

    [GeneratedRegex(
        @"\b(HTTP|clients?|requests?|responses?|endpoints?|routes?|headers?|middleware|overload(ed|s)?|shed(ding)?|loggers?|logging)\b",
        RegexOptions.IgnoreCase)]
    private static partial Regex ForeignWords();
}
