using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Security.Claims;
using System.Text.Json.Nodes;
using CsCheck;
using PoolApi.Jobs;
using PoolApi.Tests.Service;

namespace PoolApi.Tests.JobRequests;

/// <summary>What a job stores of its request beside the request line and the body: its text in the store, and its limits.</summary>
public sealed class StoredMetadataTests
{
    private const string Trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    [Theory]
    [InlineData("Authorization", "secret")]
    [InlineData("authorization", "secret")]
    [InlineData("Proxy-Authorization", "secret")]
    [InlineData("COOKIE", "secret")]
    [InlineData("X-API-Key", "secret")]
    [InlineData("Transfer-Encoding", "connection")]
    [InlineData("Upgrade", "connection")]
    [InlineData("X Tenant", "not the name of a header")]
    [InlineData("X-Tenant:", "not the name of a header")]
    [InlineData("", "empty")]
    public void Configuring_the_capture_of_a_forbidden_or_invalid_header_throws(string name, string says)
    {
        ArgumentException ofEndpoint = Assert.ThrowsAny<ArgumentException>(
            () => WebApplication.Create().MapPost("/", static () => "").AllowJobs(configure: o => o.Capture.Headers("X-Tenant", name)));
        ArgumentException ofApp = Assert.ThrowsAny<ArgumentException>(() => new JobsOptions().Capture.Headers(name));
        Assert.All([ofEndpoint.Message, ofApp.Message], message => Assert.Contains(says, message, StringComparison.Ordinal));
        if (says == "secret") Assert.Contains("Capture.User()", ofApp.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Stored_metadata_is_read_back_with_the_same_headers_route_values_and_user()
    {
        Gen<string> text = Gen.String[Gen.Char.Where(static c => !char.IsSurrogate(c)), 0, 20];
        Gen<string[]> values = text.Array[1, 3];
        Gen<Claim> claim = Gen.Select(text, text, text, text, static (type, value, valueType, issuer) =>
            new Claim(type, value, valueType, issuer, issuer + value));
        Gen<ClaimsIdentity> identity = Gen.Select(claim.Array[0, 3], text, text, text, static (claims, type, name, role) =>
            new ClaimsIdentity(claims, type, name.Length == 0 ? null : name, role.Length == 0 ? null : role));
        Gen<string> hosts = Gen.OneOf(Gen.Const(""), Gen.Const("a.example"), Gen.Const("a.example:81"), Gen.Const("[::1]:5"));
        Gen.Select(values, values, text, hosts, identity.Array[0, 3], Gen.OneOf(Gen.Const(""), Gen.Const("de-AT"), Gen.Const("fr"))).Sample((a, b, route, host, identities, culture) =>
        {
            var context = new DefaultHttpContext { User = new ClaimsPrincipal(identities) };
            context.Request.Headers["X-A"] = a;
            context.Request.Headers["X-B"] = b;
            context.Request.Headers["X-Other"] = a;
            context.Request.RouteValues = new() { ["id"] = route, ["number"] = 7, ["none"] = null };
            context.Request.Host = new HostString(host);
            (CultureInfo.CurrentCulture, CultureInfo.CurrentUICulture) = (CultureInfo.GetCultureInfo(culture), CultureInfo.InvariantCulture);
            var metadata = StoredMetadata.Of(context, new RequestCapture().User().Headers("x-a", "X-B")) with { TraceParent = Trace };

            var read = StoredMetadata.Parse(metadata.ToText());

            Assert.Equal((Trace, false, host.Length == 0 ? null : host), (read.TraceParent, read.IsTraceOnly, read.Host));
            Assert.Equal(new Dictionary<string, string?> { ["id"] = route, ["number"] = "7", ["none"] = null }, read.Route);
            Assert.Equal(new Dictionary<string, string?[]> { ["x-a"] = a, ["X-B"] = b }, read.Headers);
            Assert.Equal((culture, ""), (read.Cultures!.Value.Culture.Name, read.Cultures.Value.UICulture.Name));
            ClaimsPrincipal user = read.User is null ? new ClaimsPrincipal([]) : StoredIdentity.ToUser(read.User);
            if (identities.Any(static i => i.IsAuthenticated || i.Claims.Any())) Assert.Equal(Facts(context.User), Facts(user));
            else Assert.Null(read.User);
        });

        static IEnumerable<string> Facts(ClaimsPrincipal user) => user.Identities.SelectMany(static i => i.Claims.Select(static c =>
            $"{c.Type} {c.Value} {c.ValueType} {c.Issuer} {c.OriginalIssuer}").Prepend($"{i.IsAuthenticated} {i.AuthenticationType} {i.Name} {i.NameClaimType} {i.RoleClaimType}"));
    }

    [Theory]
    [InlineData(null, null)]
    [InlineData(Trace, Trace)]
    [InlineData("|7e1c.a.b.", "|7e1c.a.b.")] // a hierarchical id, which an app may configure
    [InlineData("|x {\"user\":[{\"type\":\"forged\"}]}.1.", "|x {\"user\":[{\"type\":\"forged\"}]}.1.")] // one that begins with text of a client
    public void Metadata_of_the_previous_version_is_read_as_a_trace_only(string? text, string? trace)
    {
        var read = StoredMetadata.Parse(text);
        Assert.Equal(StoredMetadata.None with { TraceParent = trace }, read);
        Assert.Null(read.Cultures);
    }

    [Fact]
    public void The_previous_version_reads_no_trace_from_this_metadata_and_unknown_members_are_ignored()
    {
        string text = new StoredMetadata { TraceParent = Trace, Host = "a" }.ToText();
        Assert.Equal($"{Trace} {{\"host\":\"a\"}}", text);
        Assert.False(ActivityContext.TryParse(text, null, isRemote: true, out _));
        var read = StoredMetadata.Parse($"{Trace} {{\"later\":{{\"a\":[1]}},\"host\":\"a\"}}");
        Assert.Equal((Trace, "a"), (read.TraceParent, read.Host));
    }

    [Fact]
    public async Task A_job_that_the_previous_version_accepted_still_runs()
    {
        await using StorableApp app = await StorableApp.StartAsync(static app =>
        {
            app.MapPost("/old", static (HttpContext context, [Microsoft.AspNetCore.Mvc.FromQuery] int x) =>
                $"{x} {context.Request.Scheme} {context.Request.Host} {context.Request.ContentType} {context.Request.ContentLength} {Activity.Current!.TraceId} {CultureInfo.CurrentCulture.Name}")
                .AllowJobs().RunOnPool();
        });
        var ids = new List<Guid>();
        foreach (string? metadata in (string?[])[null, Trace])
        {
            var job = new NewJob { Kind = "old", Payload = new JobPayload("body"u8.ToArray(), "POST", "/old", "?x=3", "text/plain", metadata) };
            ids.Add((await app.Store.AcceptAsync(job, ServiceApp.Token)).Job.Id);
        }
        using var wake = new HttpRequestMessage(HttpMethod.Post, "/old?x=1");
        using HttpResponseMessage woken = await app.SendAsync(wake, asJob: true);

        foreach (Guid id in ids)
        {
            using var wait = new HttpRequestMessage(HttpMethod.Get, $"/v1/jobs/{id}") { Headers = { { "Prefer", "wait=60" } } };
            (await app.Client.SendAsync(wait, ServiceApp.Token)).Dispose();
            string answer = await app.Client.GetStringAsync($"/v1/jobs/{id}/result", ServiceApp.Token);
            Assert.StartsWith("3 http  text/plain 4 ", answer, StringComparison.Ordinal);
            if (id == ids[1]) Assert.Contains(Trace.Split('-')[1], answer, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task A_job_whose_metadata_cannot_be_read_fails_without_a_retry()
    {
        await using StorableApp app = await StorableApp.StartAsync(static app => app.MapPost("/new", static () => "done").AllowJobs().RunOnPool());
        var job = new NewJob { Kind = "new", MaxAttempts = 3, Payload = new JobPayload(default, "POST", "/new", "", null, "{ of a later version") };
        Guid id = (await app.Store.AcceptAsync(job, ServiceApp.Token)).Job.Id;
        using var wait = new HttpRequestMessage(HttpMethod.Get, $"/v1/jobs/{id}") { Headers = { { "Prefer", "wait=60" } } };

        using HttpResponseMessage answer = await app.Client.SendAsync(wait, ServiceApp.Token);

        JsonNode view = JsonNode.Parse(await answer.Content.ReadAsStringAsync(ServiceApp.Token))!;
        Assert.Equal(("failed", 1, "internal-error"), ((string?)view["state"], (int)view["attempt"]!, (string?)view["error"]!["name"]));
    }

    [Fact]
    public async Task Captured_metadata_counts_towards_the_payload_limit_and_has_its_own_limit()
    {
        await using StorableApp app = await StorableApp.StartAsync(
            static app =>
            {
                app.Use(static (context, next) =>
                {
                    if (context.Request.Headers.ContainsKey("X-Many"))
                        context.User = new ClaimsPrincipal(new ClaimsIdentity(Enumerable.Range(0, 2000).Select(static i => new Claim("role", $"role number {i}")), "x"));
                    return next(context);
                });
                app.MapPost("/", static () => "done").AllowJobs(configure: static o => o.Capture.User().Headers("X-Tenant")).RunOnPool();
            },
            settings: ("Jobs:MaxPayloadBytes", "1000"));

        foreach (var (body, tenant, status, field, says) in ((int, int, int, string, string)[])[
            (1000, 0, 200, "", ""), (600, 200, 200, "", ""), (1000, 1, 413, "body", "together with the"), (600, 400, 413, "body", "together with the"),
            (1001, 0, 413, "body", "up to 1000 bytes"), (0, -1, 431, "headers", "32768 bytes")])
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, "/") { Content = new ByteArrayContent(new byte[body]) };
            if (tenant > 0) request.Headers.Add("X-Tenant", new string('t', tenant));
            if (tenant < 0) request.Headers.Add("X-Many", "yes");
            request.Headers.Add("Prefer", "respond-async, wait=60");
            using HttpResponseMessage answer = await app.Client.SendAsync(request, ServiceApp.Token);
            if (status == 200) Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
            else await ServiceApp.AssertProblem(answer, status, status == 413 ? "payload-too-large" : "invalid-request", field, says);
        }
    }

    [Fact]
    public async Task A_reused_idempotency_key_with_another_value_of_a_captured_header_is_refused()
    {
        await using StorableApp app = await StorableApp.StartAsync(static app =>
        {
            app.MapPost("/", static ([Microsoft.AspNetCore.Mvc.FromHeader(Name = "X-Tenant")] string tenant) => tenant)
                .AllowJobs(configure: static o => o.Capture.Headers("X-Tenant")).RunOnPool();
        });
        foreach (var (tenant, other, status) in ((string, string, int)[])[("a", "1", 200), ("a", "2", 200), ("b", "1", 422)])
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, "/") { Headers = { { "Idempotency-Key", "k" }, { "X-Tenant", tenant }, { "X-Other", other } } };
            using HttpResponseMessage answer = await app.Client.SendAsync(request, ServiceApp.Token);
            Assert.Equal((HttpStatusCode)status, answer.StatusCode);
            if (status == 200) Assert.Equal("a", await answer.Content.ReadAsStringAsync(ServiceApp.Token));
        }
    }
}
