using System.Net;
using System.Security.Claims;
using System.Text.Encodings.Web;
using Microsoft.AspNetCore.Authentication;
using Microsoft.Extensions.Options;

namespace PoolApi.Dashboard.Tests;

/// <summary>The dashboard rejects changes from other sites, from users whom the app does not authorize, and with ReadOnly all changes.</summary>
public sealed class ChangeTests
{
    private static CancellationToken Token => DashboardApp.Token;

    [Theory]
    [InlineData(403, "Sec-Fetch-Site: cross-site")]
    [InlineData(403, "Sec-Fetch-Site: same-site")]
    [InlineData(403, "Origin: https://evil.example", "Host: evil.example")] // an attacker's host name that resolves to this server
    [InlineData(403, "Origin: http://evil.example", "Host: evil.example", "Sec-Fetch-Site: same-origin")]
    [InlineData(403, "Origin: null")]
    [InlineData(403, "Origin: http://127.0.0.1:9", "Host: 127.0.0.1:8080")] // another program's page on this machine
    [InlineData(403, "Origin: https://ops.example.evil.example", "Host: ops.example")]
    [InlineData(200, "Origin: https://ops.example", "Host: internal:8080")] // behind a proxy
    [InlineData(200, "Origin: https://ops.example", "Host: ops.example", "Sec-Fetch-Site: same-origin")]
    [InlineData(200, "Origin: http://127.0.0.1:8080", "Host: 127.0.0.1:8080")]
    [InlineData(200, "Host: anything.example")] // not a browser
    public async Task A_change_is_accepted_only_from_the_dashboard_s_own_page_or_a_program(int status, params string[] headers)
    {
        int sent = 0;
        await using DashboardApp app = await DashboardApp.StartAsync(o =>
        {
            o.AllowedHosts.Add("ops.example");
            o.Work.Add(new PoolDashboardWork("one", "One", _ => Task.FromResult($"{++sent}")));
        });
        using HttpResponseMessage answer = await app.PostAsync("work/one", "{}", [.. headers.Select(static h => (h[..h.IndexOf(':', StringComparison.Ordinal)], h[(h.IndexOf(':', StringComparison.Ordinal) + 2)..]))]);
        Assert.Equal(status, (int)answer.StatusCode);
        Assert.Equal(status == 200 ? 1 : 0, sent);
    }

    [Theory]
    [InlineData(200, "https://ops.example")]
    [InlineData(403, "http://localhost:3000")] // another program's page on this machine
    [InlineData(200, "http://localhost:8080")]
    public async Task The_app_s_AllowedHosts_are_accepted_origins_and_localhost_only_with_the_same_port(int status, string origin)
    {
        await using DashboardApp app = await DashboardApp.StartAsync(
            static o => o.Work.Add(new PoolDashboardWork("one", "One", static _ => Task.FromResult(""))),
            services: static builder => builder.Configuration["AllowedHosts"] = "localhost;ops.example");
        using HttpResponseMessage answer = await app.PostAsync("work/one", "{}", ("Origin", origin), ("Host", "localhost:8080"));
        Assert.Equal(status, (int)answer.StatusCode);
    }

    [Fact]
    public async Task A_cross_site_stop_or_change_of_jobs_is_refused()
    {
        await using DashboardApp app = await DashboardApp.StartAsync(static o => o.AllowDrain = true, jobs: true);
        foreach (string path in (string[])["stop", "jobs/change"])
        {
            using HttpResponseMessage answer = await app.PostAsync(path, "{}", ("Sec-Fetch-Site", "cross-site"));
            Assert.Equal((path, HttpStatusCode.Forbidden), (path, answer.StatusCode));
            Assert.Contains("AllowedHosts", await answer.Content.ReadAsStringAsync(Token), StringComparison.Ordinal);
        }
        Assert.False(app.App.Lifetime.ApplicationStopping.IsCancellationRequested);
    }

    [Fact]
    public async Task A_requested_stop_stops_the_host_even_if_its_response_fails()
    {
        await using DashboardApp app = await DashboardApp.StartAsync(
            static o => o.AllowDrain = true,
            routes: static app => app.Use(static async (context, next) =>
            {
                await context.Response.StartAsync(Token); // its status cannot be set any more
                await next(context);
            }));

        await Record.ExceptionAsync(async () => (await app.PostAsync("stop")).Dispose()); // the body of the response ends early

        await Patience.UntilAsync(() => app.App.Lifetime.ApplicationStopping.IsCancellationRequested, "the host stops");
    }

    [Fact]
    public async Task ReadOnly_removes_the_routes_that_change_something()
    {
        await using DashboardApp app = await DashboardApp.StartAsync(
            static o =>
            {
                o.ReadOnly = true;
                o.AllowDrain = true;
                o.Work.Add(new PoolDashboardWork("one", "One", static _ => Task.FromResult("")));
            },
            jobs: true);
        foreach (string path in (string[])["stop", "jobs/change", "work/one"])
        {
            using HttpResponseMessage answer = await app.PostAsync(path);
            Assert.Equal((path, HttpStatusCode.NotFound), (path, answer.StatusCode));
        }
        await using EventReader events = await EventReader.OpenAsync(app.Client, "stream");
        var snapshot = (await events.NextAsync("snapshot")).Data;
        Assert.False(snapshot.GetProperty("can").GetProperty("change").GetBoolean());
        Assert.Equal(0, snapshot.GetProperty("work").GetArrayLength());
    }

    [Fact]
    public async Task RequireAuthorization_holds_for_every_route()
    {
        await using DashboardApp app = await DashboardApp.StartAsync(
            static o => o.AllowDrain = true,
            jobs: true,
            services: static builder =>
            {
                builder.Services.AddAuthentication("test").AddScheme<AuthenticationSchemeOptions, HeaderAuthentication>("test", null);
                builder.Services.AddAuthorization();
            },
            mapped: static dashboard => dashboard.RequireAuthorization());
        RouteEndpoint[] all = [.. app.App.Services.GetRequiredService<EndpointDataSource>().Endpoints.OfType<RouteEndpoint>()
            .Where(static e => e.RoutePattern.RawText!.Contains("ops/pools", StringComparison.Ordinal))];
        Assert.True(all.Length > 12);
        foreach (RouteEndpoint endpoint in all)
        {
            string path = "/" + endpoint.RoutePattern.RawText!.Trim('/').Replace("{name}", "x", StringComparison.Ordinal).Replace("{id}", "x", StringComparison.Ordinal);
            foreach (string method in endpoint.Metadata.GetMetadata<IHttpMethodMetadata>()!.HttpMethods)
            {
                using var request = new HttpRequestMessage(HttpMethod.Parse(method), new Uri("http://localhost" + path));
                using HttpResponseMessage answer = await app.Client.SendAsync(request, Token);
                Assert.Equal((method, path, HttpStatusCode.Unauthorized), (method, path, answer.StatusCode));
            }
        }
        using var signedIn = new HttpRequestMessage(HttpMethod.Get, "status") { Headers = { { "X-User", "ann" } } };
        using HttpResponseMessage let = await app.Client.SendAsync(signedIn, Token);
        Assert.Equal(HttpStatusCode.OK, let.StatusCode);
    }

    [Fact]
    public void An_invalid_allowed_host_is_refused_with_its_name()
    {
        foreach (string name in (string[])["*", "https://ops.example", "ops.example:80", ""])
        {
            WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
            builder.Services.AddFixedThreadPool();
            WebApplication app = builder.Build();
            var fault = Assert.Throws<InvalidOperationException>(() => app.MapPoolDashboard("/pools", o => o.AllowedHosts.Add(name)));
            Assert.Contains($"'{name}'", fault.Message, StringComparison.Ordinal);
            Assert.EndsWith("any web page could then call the dashboard's routes.", fault.Message, StringComparison.Ordinal);
            Assert.DoesNotContain("';'", fault.Message, StringComparison.Ordinal); // each name is an item of the list
        }
    }

    private sealed class HeaderAuthentication(IOptionsMonitor<AuthenticationSchemeOptions> options, ILoggerFactory logger, UrlEncoder encoder)
        : AuthenticationHandler<AuthenticationSchemeOptions>(options, logger, encoder)
    {
        protected override Task<AuthenticateResult> HandleAuthenticateAsync() => Task.FromResult(Request.Headers["X-User"] is [{ } user]
            ? AuthenticateResult.Success(new AuthenticationTicket(new ClaimsPrincipal(new ClaimsIdentity([new Claim(ClaimTypes.Name, user)], "test")), "test"))
            : AuthenticateResult.NoResult());
    }
}
