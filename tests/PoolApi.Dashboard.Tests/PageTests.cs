using System.Net;
using System.Text.RegularExpressions;

namespace PoolApi.Dashboard.Tests;

/// <summary>The pages and their files: browsers cache them, other sites cannot embed them, and they work below any path.</summary>
public sealed partial class PageTests
{
    private static readonly string[] Pages = ["", "jobs", "job"];

    private static CancellationToken Token => DashboardApp.Token;

    [Fact]
    public async Task Each_page_has_a_strict_content_security_policy_and_is_revalidated_with_304()
    {
        await using DashboardApp app = await DashboardApp.StartAsync();
        foreach (string page in Pages)
        {
            using HttpResponseMessage answer = await app.Client.GetAsync(page, Token);
            Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
            Assert.Equal("text/html", answer.Content.Headers.ContentType?.MediaType);
            string policy = Assert.Single(answer.Headers.GetValues("Content-Security-Policy"));
            Assert.StartsWith("default-src 'none'", policy, StringComparison.Ordinal);
            Assert.DoesNotContain("unsafe", policy, StringComparison.Ordinal);
            Assert.Contains("frame-ancestors 'none'", policy, StringComparison.Ordinal);

            using var again = new HttpRequestMessage(HttpMethod.Get, page);
            again.Headers.IfNoneMatch.Add(answer.Headers.ETag!);
            using HttpResponseMessage second = await app.Client.SendAsync(again, Token);
            Assert.Equal(HttpStatusCode.NotModified, second.StatusCode);
        }
    }

    [Fact]
    public async Task Every_file_that_a_page_or_a_module_references_exists_under_a_name_with_its_hash()
    {
        await using DashboardApp app = await DashboardApp.StartAsync();
        var left = new Queue<string>(Pages);
        var seen = new HashSet<string>(left);
        while (left.TryDequeue(out string? path))
        {
            using HttpResponseMessage answer = await app.Client.GetAsync(path, Token);
            Assert.True(answer.IsSuccessStatusCode, path);
            string text = await answer.Content.ReadAsStringAsync(Token);
            if (path.StartsWith("assets/", StringComparison.Ordinal))
            {
                Assert.Matches(@"^assets/[a-z-]+\.[0-9a-f]{16}\.(css|js|svg)$", path);
                Assert.Contains("immutable", answer.Headers.CacheControl!.ToString(), StringComparison.Ordinal);
                Assert.Equal("nosniff", Assert.Single(answer.Headers.GetValues("X-Content-Type-Options")));
            }
            // No absolute paths, which would not work below another path, and no inline styles or handlers, which the policy forbids.
            Assert.DoesNotMatch("""(href|src|action)="/""", text);
            Assert.DoesNotMatch("""<[^>]+\s(style|onclick)=""", text);
            Assert.DoesNotMatch("""(fetch|EventSource|read|change)\(["`]/""", text);
            foreach (Match match in Absolute().Matches(text)) Assert.Contains(match.Value, (string[])["https://ui.perfetto.dev", "http://www.w3.org/2000/svg"]);
            foreach (Match match in Reference().Matches(text))
            {
                string next = match.Groups[1].Value.Replace("./", "assets/", StringComparison.Ordinal);
                if (seen.Add(next)) left.Enqueue(next);
            }
        }
        Assert.True(seen.Count(static p => p.EndsWith(".js", StringComparison.Ordinal)) >= 6, string.Join(", ", seen));
    }

    [Fact]
    public async Task A_missing_or_extra_trailing_slash_is_redirected_with_a_relative_location()
    {
        await using DashboardApp app = await DashboardApp.StartAsync();
        using HttpResponseMessage answer = await app.Client.GetAsync(new Uri("http://localhost/ops/pools?x=1"), Token);
        Assert.Equal(HttpStatusCode.TemporaryRedirect, answer.StatusCode);
        Assert.Equal("pools/?x=1", answer.Headers.Location?.OriginalString);
        using HttpResponseMessage other = await app.Client.GetAsync(new Uri("http://localhost/ops/pools/jobs/"), Token);
        Assert.Equal("../jobs", other.Headers.Location?.OriginalString);
    }

    [Fact]
    public async Task HEAD_answers_the_headers_of_every_page_and_stream()
    {
        await using DashboardApp app = await DashboardApp.StartAsync(jobs: true);
        foreach (string path in (string[])[.. Pages, "status", "history", "stream", "jobs/list", "jobs/stream"])
        {
            using var request = new HttpRequestMessage(HttpMethod.Head, path);
            using HttpResponseMessage answer = await app.Client.SendAsync(request, Token);
            Assert.Equal((path, HttpStatusCode.OK), (path, answer.StatusCode));
            Assert.Empty(await answer.Content.ReadAsByteArrayAsync(Token));
        }
    }

    [Fact]
    public void Mapping_the_dashboard_without_a_pool_throws_and_names_AddFixedThreadPool()
    {
        WebApplication app = WebApplication.CreateSlimBuilder().Build();
        Assert.Contains("AddFixedThreadPool", Assert.Throws<InvalidOperationException>(() => app.MapPoolDashboard()).Message, StringComparison.Ordinal);
    }

    [GeneratedRegex("""https?://[^"'`\s<>)$]+""")]
    private static partial Regex Absolute();

    [GeneratedRegex("""
        "((?:assets|\.)/[a-z-]+\.[0-9a-f]+\.[a-z]+)"
        """)]
    private static partial Regex Reference();
}
