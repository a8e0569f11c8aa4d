using System.Net;
using System.Text.RegularExpressions;

namespace PoolApi.Consumers.Tests.Support;

/// <summary>An answer as its client receives it, for comparison with another.</summary>
internal sealed record Reply(HttpStatusCode Status, string? ContentType, string Body, string Headers, bool IsFromPool)
{
    private static readonly Regex TraceId = new("\"traceId\":\"[^\"]*\"");

    public static async Task<Reply> ReadAsync(HttpResponseMessage response) => new(
        response.StatusCode,
        response.Content.Headers.ContentType?.ToString(),
        TraceId.Replace(await response.Content.ReadAsStringAsync(ConsumerApp.Token), "\"traceId\":\"\""),
        string.Join(
            '\n',
            response.Headers.Where(static h => h.Key is not ("Server-Timing" or "Date" or "Server" or "Transfer-Encoding"))
                .Select(static h => $"{h.Key}: {string.Join(", ", h.Value)}").Order(StringComparer.Ordinal)),
        response.Headers.Contains("Server-Timing"));

    /// <summary>Asserts that the answer is the same with the pool as without it.</summary>
    public static void AssertSame(Reply withoutPool, Reply withPool)
    {
        Assert.False(withoutPool.IsFromPool);
        Assert.Equal(withoutPool with { IsFromPool = withPool.IsFromPool }, withPool);
    }

    public string Ok()
    {
        Assert.Equal((HttpStatusCode.OK, Body), (Status, Body));
        return Body;
    }
}
