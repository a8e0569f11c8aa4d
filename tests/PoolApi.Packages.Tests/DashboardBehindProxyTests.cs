using System.Net;
using System.Net.Http.Headers;
using System.Net.ServerSentEvents;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace PoolApi.Packages.Tests;

/// <summary>The dashboard in an app that has the packages and its own authorization, behind an nginx that strips a prefix. A signed-in user reaches
/// every page, file, stream and JSON by relative links. Every other client gets 401.</summary>
public sealed partial class DashboardBehindProxyTests(LocalFeed feed)
{
    private const string Dashboard = "/ops/pools";
    private const string Password = "right";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Every_route_works_behind_a_stripped_prefix_for_authorized_users_only()
    {
        string folder = await BuildAsync();
        await using RunningApp app = await RunningApp.ListenAsync(
            folder, "dotnet", Path.Combine(folder, "bin", "Release", "net10.0", "Operated.dll"),
            "--OperatorPassword", Password, "--JobsFile", Path.Combine(folder, "jobs.db"));
        await using Nginx nginx = await Nginx.StartAsync(app.Client.BaseAddress!, "/behind/");
        using var stranger = new HttpClient(new SocketsHttpHandler { UseProxy = false, AllowAutoRedirect = false }) { Timeout = Patience.Long };
        using var client = new HttpClient(new SocketsHttpHandler { UseProxy = false, AllowAutoRedirect = false })
        {
            Timeout = Patience.Long,
            DefaultRequestHeaders = { Authorization = new AuthenticationHeaderValue("Basic", Convert.ToBase64String(Encoding.UTF8.GetBytes($"operator:{Password}"))) },
        };
        string[] routes = [.. JsonSerializer.Deserialize<string[]>(await app.GetAsync("/routes"))!
            .Where(static route => route.Split(' ')[1] is var path && (path == Dashboard || path.StartsWith(Dashboard + "/", StringComparison.Ordinal)))];
        Assert.Contains($"GET {Dashboard}/stream", routes);

        await FindNothingAsync(stranger, [app.Client.BaseAddress!, nginx.Url], routes);
        await new Visit(client, nginx.Url).FindAllAsync(routes);
        await app.StopAsync();
    }

    /// <summary>Builds the app outside of the repository, with the packages.</summary>
    private async Task<string> BuildAsync()
    {
        string folder = Directory.CreateDirectory(Path.Combine(feed.Workspace, "Operated")).FullName;
        File.Copy(Path.Combine(Repository.Root, "tests", "PoolApi.Packages.Tests", "Apps", "Operated", "Program.cs"), Path.Combine(folder, "Program.cs"));
        new XElement("Project", new XAttribute("Sdk", "Microsoft.NET.Sdk.Web"),
            new XElement("PropertyGroup", new XElement("TargetFramework", "net10.0"), new XElement("Nullable", "enable"), new XElement("ImplicitUsings", "enable")),
            new XElement("ItemGroup", ((string[])["PoolApi.Dashboard", "PoolApi.Jobs.Sqlite"]).Select(static package =>
                new XElement("PackageReference", new XAttribute("Include", package), new XAttribute("Version", Packable.Version)))))
            .Save(Path.Combine(folder, "Operated.csproj"));
        await ProgramRun.ApartAsync(folder, "dotnet", "build", "-c", "Release", "-v:q", "-nologo", "-warnaserror");
        return folder;
    }

    private static async Task FindNothingAsync(HttpClient stranger, Uri[] roots, string[] routes)
    {
        foreach (Uri root in roots)
        {
            foreach (string route in routes)
            {
                string[] parts = route.Split(' ');
                using var request = new HttpRequestMessage(new HttpMethod(parts[0]), new Uri(root, Parameter().Replace(parts[1], "x").TrimStart('/')));
                using HttpResponseMessage answer = await stranger.SendAsync(request, Token);
                Assert.Equal((root, route, HttpStatusCode.Unauthorized), (root, route, answer.StatusCode));
                Assert.Equal("Basic", Assert.Single(answer.Headers.WwwAuthenticate).Scheme);
                Assert.Empty(await answer.Content.ReadAsByteArrayAsync(Token));
            }
        }
    }

    /// <summary>The requests of a signed-in user, through the proxy.</summary>
    private sealed class Visit(HttpClient client, Uri root)
    {
        private readonly HashSet<string> _visited = new(StringComparer.Ordinal);

        /// <summary>The address that the pages' relative links start from.</summary>
        private Uri Home => new(root, "ops/pools/");

        public async Task FindAllAsync(string[] routes)
        {
            string job = await CreateJobAsync();
            await FollowAsync(new Uri(root, "ops/pools"));
            await FollowAsync(new Uri(Home, "jobs"));
            await FollowAsync(new Uri(Home, $"job?id={job}"));

            foreach (string data in (string[])
                ["status", "history?seconds=60&pool=cpu", "trace?seconds=30", "snapshots", "jobs/list", "jobs/matching?action=cancel", "jobs/kinds", $"job/known?id={job}"])
            {
                Assert.Equal(JsonValueKind.Object, JsonDocument.Parse(await GetAsync(data)).RootElement.ValueKind);
            }
            Assert.Equal("report of 2026", await GetAsync($"job/result?id={job}"));
            // There is no such snapshot. The 404 is that of the app, not of the proxy.
            using (HttpResponseMessage none = await SendAsync(HttpMethod.Get, "snapshots/none"))
                Assert.Equal((HttpStatusCode.NotFound, "application/problem+json"), (none.StatusCode, none.Content.Headers.ContentType?.MediaType));

            // As a page does that the browser has loaded through the proxy.
            using (HttpResponseMessage payload = await SendAsync(HttpMethod.Post, $"job/payload?id={job}", "{}"))
                Assert.Equal((HttpStatusCode.OK, "what was sent"), (payload.StatusCode, await payload.Content.ReadAsStringAsync(Token)));
            using (HttpResponseMessage change = await SendAsync(HttpMethod.Post, "jobs/change", $$"""{ "action": "cancel", "job": "{{job}}" }"""))
                Assert.Equal((HttpStatusCode.Conflict, "application/problem+json"), (change.StatusCode, change.Content.Headers.ContentType?.MediaType));

            // The browser of a signed-in user sends its credentials also with a request that another site causes.
            using (HttpResponseMessage forged = await SendAsync(HttpMethod.Post, "jobs/change", "{}", origin: "http://evil.example"))
                Assert.Equal(HttpStatusCode.Forbidden, forged.StatusCode);

            await FollowEventsAsync("jobs/stream", "jobs", null);
            await FollowEventsAsync($"job/stream?id={job}", "job", null);
            await FollowEventsAsync("stream", "snapshot", "cpu");
            foreach (string route in routes.Where(static route => route.StartsWith("HEAD ", StringComparison.Ordinal)))
            {
                string path = route[$"HEAD {Dashboard}".Length..].TrimStart('/');
                if (path.StartsWith("assets/", StringComparison.Ordinal)) path = _visited.First(static visited => visited.StartsWith("GET assets/", StringComparison.Ordinal))[4..];
                using HttpResponseMessage head = await SendAsync(HttpMethod.Head, path.StartsWith("job", StringComparison.Ordinal) ? $"{path}?id={job}&action=cancel" : path);
                Assert.True(head.IsSuccessStatusCode || (path.StartsWith("snapshots/", StringComparison.Ordinal) && head.StatusCode == HttpStatusCode.NotFound), $"{route}: {head.StatusCode}");
            }

            Assert.Equal(
                routes.Select(static route => Name(route.Replace(Dashboard, "", StringComparison.Ordinal).Replace(" /", " ", StringComparison.Ordinal))).Distinct().Order(StringComparer.Ordinal),
                _visited.Select(Name).Distinct().Order(StringComparer.Ordinal));
        }

        private async Task<string> CreateJobAsync()
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(root, "reports/2026"))
            {
                Headers = { { "Prefer", "respond-async, wait=60" } },
                Content = new StringContent("what was sent"),
            };
            using HttpResponseMessage answer = await client.SendAsync(request, Token);
            Assert.Equal((HttpStatusCode.OK, "report of 2026"), (answer.StatusCode, await answer.Content.ReadAsStringAsync(Token)));
            var result = new Uri(request.RequestUri!, answer.Content.Headers.ContentLocation!);
            Assert.StartsWith($"{root}jobs/", result.AbsoluteUri, StringComparison.Ordinal);
            return result.AbsolutePath.Split('/')[^2];
        }

        /// <summary>Visits a page, the target of its redirect, and every file that the page or one of these files names.</summary>
        private async Task FollowAsync(Uri page)
        {
            var left = new Queue<Uri>([page]);
            while (left.TryDequeue(out Uri? url))
            {
                Assert.StartsWith($"{root}ops/pools", url.AbsoluteUri, StringComparison.Ordinal);
                if (!_visited.Add($"GET {(url == new Uri(root, "ops/pools") ? "" : Home.MakeRelativeUri(url))}")) continue;
                using HttpResponseMessage answer = await client.GetAsync(url, Token);
                if (answer.Headers.Location is { } location)
                {
                    Assert.False(location.IsAbsoluteUri || location.OriginalString.StartsWith('/'), $"{url} leads to {location}");
                    left.Enqueue(new Uri(url, location));
                    continue;
                }
                Assert.Equal((url, HttpStatusCode.OK), (url, answer.StatusCode));
                foreach (Match link in Link().Matches(await answer.Content.ReadAsStringAsync(Token))) left.Enqueue(new Uri(url, link.Groups[1].Value));
            }
        }

        private async Task<string> GetAsync(string path)
        {
            using HttpResponseMessage answer = await SendAsync(HttpMethod.Get, path);
            string body = await answer.Content.ReadAsStringAsync(Token);
            Assert.True(answer.IsSuccessStatusCode, $"{path}: {answer.StatusCode} {body}");
            return body;
        }

        private async Task<HttpResponseMessage> SendAsync(HttpMethod method, string path, string? json = null, string? origin = null)
        {
            var url = new Uri(Home, path);
            _visited.Add($"{method} {path}");
            using var request = new HttpRequestMessage(method, url);
            if (json is not null)
            {
                request.Content = new StringContent(json, Encoding.UTF8, "application/json");
                request.Headers.Add("Origin", origin ?? url.GetLeftPart(UriPartial.Authority));
                request.Headers.Add("Sec-Fetch-Site", "same-origin");
            }
            return await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Token);
        }

        /// <summary>Events arrive while the stream is open: the proxy does not buffer them.</summary>
        private async Task FollowEventsAsync(string path, string first, string? pool)
        {
            using HttpResponseMessage answer = await SendAsync(HttpMethod.Get, path);
            Assert.Equal("text/event-stream", answer.Content.Headers.ContentType?.MediaType);
            await using IAsyncEnumerator<SseItem<string>> events = SseParser.Create(await answer.Content.ReadAsStreamAsync(Token)).EnumerateAsync(Token).GetAsyncEnumerator(Token);
            Assert.Equal("status", await NextAsync());
            Assert.Equal(first, await NextAsync());
            if (pool is null) return;
            Assert.Contains($"\"name\":\"{pool}\"", events.Current.Data, StringComparison.Ordinal);
            // Work that runs now is a piece of a later frame.
            using HttpResponseMessage work = await client.PostAsync(new Uri(root, "reports/2027"), null, Token);
            Assert.True(work.IsSuccessStatusCode, $"{work.StatusCode}");
            do Assert.Equal("frame", await NextAsync());
            while (!events.Current.Data.Contains("\"pieces\":", StringComparison.Ordinal));

            async Task<string> NextAsync()
            {
                Assert.True(await events.MoveNextAsync().AsTask().WaitAsync(Patience.Long, Token), $"{path} has ended");
                return events.Current.EventType;
            }
        }

        /// <summary>The method and the path of a route, without its parameters.</summary>
        private static string Name(string request) => Regex.Replace(request.Split('?')[0], "(?<=(assets|snapshots)/).+", "…");
    }

    [GeneratedRegex(@"\{[^}]+\}")]
    private static partial Regex Parameter();

    [GeneratedRegex(@"(?:href=|src=|from )""([^""#]+)""")]
    private static partial Regex Link();
}
