using CsCheck;

namespace PoolApi.Tests.Server;

/// <summary>A relative reference, resolved by RFC 3986, leads to its target whatever prefix a proxy strips.</summary>
public class RelativeReferenceTests
{
    private static readonly Gen<string> Segment = OneOf("v1", "jobs", "diagnostics", "sleep", "0199aaaa-0000-7000-8000-000000000000", "x:retry", "a b");
    private static readonly Gen<string> Path = Gen.Select(Segment.Array[1, 5], Gen.Bool, static (parts, slash) => "/" + string.Join('/', parts) + (slash ? "/" : ""));
    private static readonly Gen<string> Target = Gen.Select(Segment.Array[1, 4], static parts => "/v1/" + string.Join('/', parts.Where(static p => !p.Contains(':', StringComparison.Ordinal)).Append("last")));
    private static readonly Gen<string> Prefix = OneOf("", "/thumbs", "/a/b", "/v1", "/v1/jobs");

    [Fact]
    public void The_reference_resolves_to_the_target_from_every_path_under_every_prefix() => Gen.Select(Prefix, Path, Target).Sample(static (prefix, from, to) =>
    {
        var asked = new Uri($"https://proxy.example{prefix}{Uri.EscapeDataString(from).Replace("%2F", "/", StringComparison.Ordinal)}?query=/a/b");
        string reference = RelativeReference.Of(from, to);
        Assert.False(reference.StartsWith('/'), reference);
        Assert.Equal(new Uri($"https://proxy.example{prefix}{to}"), new Uri(asked, reference));
    });

    [Theory]
    [InlineData("/v1/thumbnails", "/v1/jobs/1", "jobs/1")]
    [InlineData("/v1/thumbnails/", "/v1/jobs/1", "../jobs/1")]
    [InlineData("/v1/diagnostics/sleep", "/v1/jobs/1", "../jobs/1")]
    [InlineData("/v1/jobs/1", "/v1/jobs/1", "1")]
    [InlineData("/v1/jobs/1/events", "/v1/jobs/1/result", "result")]
    [InlineData("/v1/jobs", "/v1/jobs?cursor=a/b", "jobs?cursor=a/b")]
    [InlineData("/v1/jobs/", "/v1/jobs?cursor=a/b", "../jobs?cursor=a/b")]
    [InlineData("/V1/Thumbnails", "/v1/jobs/1", "jobs/1")]
    [InlineData("/", "/v1/jobs/1", "v1/jobs/1")]
    [InlineData("", "/v1/jobs/1", "v1/jobs/1")]
    [InlineData(null, "/v1/jobs/1", "v1/jobs/1")]
    public void The_reference_is_the_shortest_path_to_the_target(string? from, string to, string reference) => Assert.Equal(reference, RelativeReference.Of(from, to));

    private static Gen<string> OneOf(params string[] texts) => Gen.Int[0, texts.Length - 1].Select(i => texts[i]);
}
