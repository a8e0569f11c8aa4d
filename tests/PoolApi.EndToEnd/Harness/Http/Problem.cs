using System.Text.Json;

namespace PoolApi.EndToEnd.Harness.Http;

/// <summary>Problem details (RFC 9457) with all members that the service promises.</summary>
/// <param name="Name">What follows `urn:poolapi:problem:`.</param>
/// <param name="Status">The status, as the body repeats it.</param>
/// <param name="Detail">What is wrong, and what to do.</param>
/// <param name="TraceId">The trace of the request.</param>
/// <param name="Json">The whole body.</param>
internal sealed record Problem(string Name, int Status, string Detail, string TraceId, JsonElement Json)
{
    private const string Prefix = "urn:poolapi:problem:";

    /// <summary>Reads the body. A missing member fails the test.</summary>
    public static Problem Read(JsonElement json)
    {
        string type = Text(json, "type");
        Assert.StartsWith(Prefix, type, StringComparison.Ordinal);
        Assert.Matches("^[a-z]+(-[a-z]+)*$", type[Prefix.Length..]);
        Text(json, "title");
        return new Problem(type[Prefix.Length..], json.GetProperty("status").GetInt32(), Text(json, "detail"), Text(json, "traceId"), json);
    }

    /// <summary>The problem must contain these words.</summary>
    public Problem MustName(params string[] words)
    {
        string all = Json.GetRawText();
        Assert.All(words, word => Assert.Contains(word, all, StringComparison.OrdinalIgnoreCase));
        return this;
    }

    /// <summary>The detail must name the limit of the value, in digits.</summary>
    public Problem MustNameLimit()
    {
        Assert.Matches(@"\d", Detail);
        return this;
    }

    private static string Text(JsonElement json, string member)
    {
        Assert.True(json.TryGetProperty(member, out var value), $"no '{member}' in {json.GetRawText()}");
        string? text = value.GetString();
        Assert.False(string.IsNullOrWhiteSpace(text), $"'{member}' is empty in {json.GetRawText()}");
        return text!;
    }
}
