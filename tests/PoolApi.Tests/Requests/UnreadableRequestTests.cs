using PoolApi.Tests.Management;
using PoolApi.Tests.Service;

namespace PoolApi.Tests.Requests;

/// <summary>The server itself refuses a request that it cannot parse, with a response without a body.</summary>
public class UnreadableRequestTests
{
    public static TheoryData<string, int> Requests => new()
    {
        { "GET\r\n\r\n", 400 },
        { "GET / HTTP/1.1\r\n\r\n", 400 }, // without Host
        { "GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400 },
        { "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n", 400 },
        { "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n", 400 },
        { "GET * HTTP/1.1\r\nHost: x\r\n\r\n", 405 },
        { $"GET /{new string('a', 9000)} HTTP/1.1\r\nHost: x\r\n\r\n", 414 },
        { $"GET / HTTP/1.1\r\nHost: x\r\nA: {new string('b', 40_000)}\r\n\r\n", 431 },
        { "GET / HTTP/3.0\r\nHost: x\r\n\r\n", 505 },
    };

    [Theory, MemberData(nameof(Requests))]
    public Task An_unreadable_request_is_answered_without_a_body(string request, int status) => MustAnswerAsync(request, status);

    [Fact]
    public Task An_incomplete_request_head_times_out_and_is_answered_without_a_body() =>
        MustAnswerAsync("GET / HTTP/1.1\r\nHost: x\r\n", 408, ("Kestrel:Limits:RequestHeadersTimeout", "00:00:01"));

    private static async Task MustAnswerAsync(string request, int status, params (string Key, string Value)[] settings)
    {
        await using ServiceApp app = ServiceApp.With([("Urls", "http://127.0.0.1:0"), ("Management:Urls", "http://127.0.0.2:0"), ("Jobs:Store", "none"), .. settings]);
        (int port, _) = PortTests.Start(app);
        string answer = await RawConnection.ExchangeAsync("127.0.0.1", port, request);
        Assert.StartsWith($"HTTP/1.1 {status} ", answer, StringComparison.Ordinal);
        Assert.Contains("\r\nContent-Length: 0\r\n", answer, StringComparison.Ordinal);
        Assert.EndsWith("\r\n\r\n", answer, StringComparison.Ordinal);
    }
}
