using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;
using PoolApi.Tests.Management;
using PoolApi.Tests.Service;

namespace PoolApi.Tests.Server;

/// <summary>The security headers of every response, whichever component writes it.</summary>
public sealed partial class SecurityHeaderTests(ServiceApp app) : IClassFixture<ServiceApp>
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("GET", "/", 200)]
    [InlineData("GET", "/openapi/v1.json", 200)]
    [InlineData("GET", "/metrics", 200)]
    [InlineData("GET", "/readyz", 200)]
    [InlineData("GET", "/v1/workers", 200)]
    [InlineData("GET", "/jobs", 200)]
    [InlineData("GET", "/v1/diagnostics/noop", 200)]
    [InlineData("GET", "/v1/diagnostics/noop?nothing=1", 400)]
    [InlineData("GET", "/nowhere", 404)]
    [InlineData("PUT", "/v1/thumbnails", 405)]
    [InlineData("POST", "/v1/thumbnails?width=8", 415)]
    [InlineData("OPTIONS", "/v1/thumbnails", 204)]
    public async Task Every_response_has_the_security_headers(string method, string path, int status)
    {
        using HttpClient client = app.CreateClient();
        using var request = new HttpRequestMessage(new HttpMethod(method), path);
        if (method == "POST") request.Content = new StringContent("no image", Encoding.UTF8, "text/plain");

        using HttpResponseMessage response = await client.SendAsync(request, Token);

        Assert.Equal((path, status), (path, (int)response.StatusCode));
        Assert.Equal("nosniff", Assert.Single(response.Headers.GetValues("X-Content-Type-Options")));
        Assert.Matches("^(no-referrer|same-origin)$", Assert.Single(response.Headers.GetValues("Referrer-Policy")));
        string policy = Assert.Single(response.Headers.GetValues("Content-Security-Policy"));
        Assert.Contains("default-src 'none'", policy, StringComparison.Ordinal);
        Assert.Contains("frame-ancestors 'none'", policy, StringComparison.Ordinal);
        Assert.DoesNotContain("unsafe", policy, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_content_security_policy_of_the_welcome_page_allows_its_own_style()
    {
        await using ServiceApp listening = ServiceApp.With(("Urls", "http://127.0.0.1:0"), ("Management:Urls", "http://127.0.0.2:0"));
        (int port, _) = PortTests.Start(listening);

        string page = await PortTests.Get("127.0.0.1", port, "GET /", "localhost\r\nAccept: text/html");

        string hash = Convert.ToBase64String(SHA256.HashData(Encoding.UTF8.GetBytes(Style().Match(page).Groups[1].Value)));
        Assert.Contains($"\r\nContent-Security-Policy: default-src 'none'; style-src 'sha256-{hash}'; ", page, StringComparison.Ordinal);
        Assert.DoesNotMatch("<script|style=|javascript:", page);
    }

    [GeneratedRegex("<style>(.*?)</style>", RegexOptions.Singleline)]
    private static partial Regex Style();
}
