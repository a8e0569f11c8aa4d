using System.Globalization;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;

namespace PoolApi.EndToEnd.Harness.Http;

/// <summary>An HTTP answer, read to its end.</summary>
/// <param name="Status">The status code.</param>
/// <param name="Headers">The header fields; several values of one field are joined.</param>
/// <param name="Body">The body's bytes.</param>
internal sealed record Answer(int Status, IReadOnlyDictionary<string, string> Headers, byte[] Body)
{
    /// <summary>The body as text.</summary>
    public string Text => Encoding.UTF8.GetString(Body);

    /// <summary>The media type without its parameters, or null.</summary>
    public string? MediaType => Header("Content-Type") is { } value ? MediaTypeHeaderValue.Parse(value).MediaType : null;

    /// <summary>Whether the server closes the connection after this answer (HTTP/1.1).</summary>
    public bool AsksToClose => string.Equals(Header("Connection"), "close", StringComparison.OrdinalIgnoreCase);

    private string Excerpt => Body.Length < 4000 ? Text : $"{Body.Length} bytes";

    /// <summary>One header field, or null.</summary>
    public string? Header(string name) => Headers.GetValueOrDefault(name);

    /// <summary>The URL of the request.</summary>
    public Uri? Url { get; init; }

    /// <summary>The path and query that a link in this answer refers to.</summary>
    public string Follow(string link) => new Uri(Url!, link).PathAndQuery;

    /// <summary>The body as JSON.</summary>
    public JsonElement Json()
    {
        using var document = JsonDocument.Parse(Body);
        return document.RootElement.Clone();
    }

    /// <summary>The answer must have this status.</summary>
    public Answer MustBe(int status)
    {
        Assert.True(Status == status, $"expected {status}, got {Status}: {Excerpt}");
        return this;
    }

    /// <summary>The answer must be complete problem details with this status, and with this name if one is given.</summary>
    public Problem MustBeProblem(int status, string? name = null)
    {
        MustBe(status);
        Assert.Equal("application/problem+json", MediaType);
        var problem = Problem.Read(Json());
        Assert.Equal(status, problem.Status);
        if (name is not null)
            Assert.Equal(name, problem.Name);
        return problem;
    }

    /// <summary>The answer must be a problem with one of these statuses, if the contract allows several.</summary>
    public Problem MustBeProblemOf(params int[] statuses)
    {
        Assert.True(statuses.Contains(Status), $"expected {string.Join(" or ", statuses)}, got {Status}: {Excerpt}");
        return MustBeProblem(Status);
    }

    /// <summary>The answer must have a Retry-After in whole seconds, at least one.</summary>
    public int MustSayRetryAfter()
    {
        string? value = Header("Retry-After");
        Assert.True(
            int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out int seconds) && seconds >= 1,
            $"Retry-After is '{value}' on {Status} {Text}");
        return seconds;
    }

    /// <summary>Reads a response to its end.</summary>
    public static async Task<Answer> ReadAsync(HttpResponseMessage response, CancellationToken cancellation)
    {
        byte[] body = await response.Content.ReadAsByteArrayAsync(cancellation);
        var headers = response.Headers.NonValidated.Concat(response.Content.Headers.NonValidated)
            .ToDictionary(field => field.Key, field => string.Join(", ", field.Value.ToArray()), StringComparer.OrdinalIgnoreCase);
        return new Answer((int)response.StatusCode, headers, body) { Url = response.RequestMessage?.RequestUri };
    }
}
