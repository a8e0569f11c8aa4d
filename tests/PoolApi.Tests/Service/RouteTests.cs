using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json.Nodes;
using PoolApi.Tests.Thumbnails;
using PoolApi.Threading;

namespace PoolApi.Tests.Service;

/// <summary>The responses of the routes to valid and invalid requests.</summary>
public class RouteTests(ServiceApp app) : IClassFixture<ServiceApp>
{
    private const string Timing = @"^queue;dur=[0-9.]+, run;dur=[0-9.]+, worker;desc=""cpu-[01]""$";
    private readonly HttpClient _client = app.CreateClient();

    private static ByteArrayContent Photo() => new(Samples.Encode("jpeg", 64, 48));

    [Theory]
    [InlineData("", "image/webp")]
    [InlineData("&format=jpeg", "image/jpeg")]
    [InlineData("&format=PNG&fit=cover&height=10", "image/png")]
    [InlineData("&format=avif", "image/avif")]
    public async Task An_image_becomes_a_thumbnail(string query, string type)
    {
        using HttpResponseMessage response = await _client.PostAsync($"/v1/thumbnails?width=16{query}", Photo(), ServiceApp.Token);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal(type, response.Content.Headers.ContentType?.MediaType);
        Assert.Matches(Timing, Assert.Single(response.Headers.GetValues("Server-Timing")));
        using var image = NetVips.Image.NewFromBuffer(await response.Content.ReadAsByteArrayAsync(ServiceApp.Token));
        Assert.Equal(16, image.Width);
    }

    [Theory]
    [InlineData("", "width", "width is missing; it must be a whole number from 1 to 4096.")]
    [InlineData("width=", "width", "width must be a whole number from 1 to 4096.")]
    [InlineData("width=0", "width", "from 1 to 4096")]
    [InlineData("width=-1", "width", "from 1 to 4096")]
    [InlineData("width=4097", "width", "from 1 to 4096")]
    [InlineData("width=1e9", "width", "from 1 to 4096")]
    [InlineData("width=1000000000", "width", "from 1 to 4096")]
    [InlineData("width=99999999999999999999", "width", "from 1 to 4096")]
    [InlineData("width=abc", "width", "from 1 to 4096")]
    [InlineData("width=3.5", "width", "from 1 to 4096")]
    [InlineData("width=%D9%A3", "width", "from 1 to 4096")]
    [InlineData("width=3&width=3", "width", "width is given 2 times; it may be given only once")]
    [InlineData("width=3&height=0", "height", "from 1 to 4096")]
    [InlineData("width=3&height=1&height=2", "height", "given 2 times")]
    [InlineData("width=3&format=gif", "format", "format must be one of: webp, jpeg, png, avif.")]
    [InlineData("width=3&fit=fill", "fit", "fit must be one of: inside, cover.")]
    public async Task A_wrong_thumbnail_parameter_is_refused_with_its_name_and_its_allowed_values(string query, string field, string says)
    {
        using HttpResponseMessage response = await _client.PostAsync("/v1/thumbnails?" + query, Photo(), ServiceApp.Token);
        await ServiceApp.AssertProblem(response, 400, "invalid-request", field, says);
    }

    [Fact]
    public async Task All_wrong_parameters_are_named_at_once()
    {
        using HttpResponseMessage response = await _client.PostAsync("/v1/thumbnails?width=x&height=y&format=z&fit=w", Photo(), ServiceApp.Token);
        JsonNode problem = await ServiceApp.AssertProblem(response, 400, "invalid-request");
        Assert.Equal(4, problem["errors"]!.AsObject().Count);
    }

    [Fact]
    public async Task A_body_that_is_empty_or_truncated_or_no_image_is_refused_with_a_specific_problem()
    {
        using HttpResponseMessage empty = await _client.PostAsync("/v1/thumbnails?width=9", new ByteArrayContent([]), ServiceApp.Token);
        await ServiceApp.AssertProblem(empty, 400, "invalid-request", "body", "empty");
        using HttpResponseMessage none = await _client.PostAsync("/v1/thumbnails?width=9", null, ServiceApp.Token);
        await ServiceApp.AssertProblem(none, 400, "invalid-request", "body", "empty");
        using HttpResponseMessage text = await _client.PostAsync("/v1/thumbnails?width=9", new StringContent("not an image"), ServiceApp.Token);
        await ServiceApp.AssertProblem(text, 415, "unsupported-media", "body", "it must be");
        byte[] photo = Samples.Encode("jpeg", 640, 480);
        using HttpResponseMessage cut = await _client.PostAsync(
            "/v1/thumbnails?width=9", new ByteArrayContent(photo[..(photo.Length / 2)]), ServiceApp.Token);
        await ServiceApp.AssertProblem(cut, 422, "unprocessable-image", "body");
    }

    [Theory]
    [InlineData("image/webp")]
    [InlineData("text/html")]
    [InlineData("application/json;q=0")]
    public async Task A_client_that_does_not_accept_JSON_still_gets_a_JSON_problem(string accept)
    {
        foreach (string url in (string[])["/v1/thumbnails?width=0", "/v1/nothing"])
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, url) { Content = Photo() };
            request.Headers.Accept.Add(MediaTypeWithQualityHeaderValue.Parse(accept));
            using HttpResponseMessage response = await _client.SendAsync(request, ServiceApp.Token);
            Assert.Equal("application/problem+json", response.Content.Headers.ContentType?.MediaType);
            Assert.Contains("urn:poolapi:problem:", await response.Content.ReadAsStringAsync(ServiceApp.Token), StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task A_password_is_hashed_verified_and_never_in_the_log()
    {
        const string Secret = "S3cret-that-nobody-may-log";
        using HttpResponseMessage hashed = await _client.PostAsJsonAsync("/v1/password-hashes", new { password = Secret }, ServiceApp.Token);
        Assert.Equal("no-store", hashed.Headers.CacheControl?.ToString());
        Assert.Matches(Timing, Assert.Single(hashed.Headers.GetValues("Server-Timing")));
        string hash = (string)JsonNode.Parse(await hashed.Content.ReadAsStringAsync(ServiceApp.Token))!["hash"]!;
        Assert.StartsWith("$argon2id$v=19$m=19456,t=2,p=1$", hash, StringComparison.Ordinal);
        foreach (var (password, valid) in ((string, bool)[])[(Secret, true), (Secret + "!", false)])
        {
            using HttpResponseMessage response = await _client.PostAsJsonAsync("/v1/password-verifications", new { password, hash }, ServiceApp.Token);
            Assert.Equal(valid ? """{"valid":true}""" : """{"valid":false}""", await response.Content.ReadAsStringAsync(ServiceApp.Token));
        }
        string[] broken = [$$"""{"password":"{{Secret}}" """, $$"""{"password":["{{Secret}}"]}""", $"\"{Secret}\"", $$"""{"password":"{{Secret}}","password":"{{Secret}}"}"""];
        foreach (string body in broken)
        {
            using HttpResponseMessage response = await PostJson("/v1/password-hashes", body);
            JsonNode problem = await ServiceApp.AssertProblem(response, 400, "invalid-request", "body");
            Assert.DoesNotContain("S3cret", problem.ToJsonString(), StringComparison.Ordinal);
        }
        Assert.Contains(app.Log, static l => l.Contains("/v1/password-hashes", StringComparison.Ordinal)); // the log has every level
        Assert.DoesNotContain(app.Log, static l => l.Contains("S3cret", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("password-hashes", "{}", "password", "password is missing")]
    [InlineData("password-hashes", """{"password":null}""", "password", "password is missing")]
    [InlineData("password-hashes", """{"password":""}""", "password", "must not be empty")]
    [InlineData("password-hashes", """{"password":5}""", "body", "the text \"password\"")]
    [InlineData("password-hashes", """{"password":"\ud800"}""", "body", "")]
    [InlineData("password-hashes", "null", "body", "The body is null")]
    [InlineData("password-hashes", "[]", "body", "a JSON object")]
    [InlineData("password-hashes", "", "body", "a JSON object")]
    [InlineData("password-hashes", "{", "body", "line 1")]
    [InlineData("password-hashes", """{"password":"a","password":"b"}""", "body", "")]
    [InlineData("password-verifications", """{"password":"a"}""", "hash", "hash is missing")]
    [InlineData("password-verifications", """{"hash":"$argon2id$"}""", "password", "password is missing")]
    public async Task A_wrong_body_of_a_password_route_is_a_bad_request_that_names_the_field(string route, string body, string field, string says)
    {
        using HttpResponseMessage response = await PostJson("/v1/" + route, body);
        await ServiceApp.AssertProblem(response, 400, "invalid-request", field, says);
    }

    [Fact]
    public async Task A_password_that_is_too_long_or_a_hash_that_costs_too_much_is_refused()
    {
        using HttpResponseMessage tooLong = await PostJson("/v1/password-hashes", $$"""{"password":"{{new string('x', 5000)}}"}""");
        await ServiceApp.AssertProblem(tooLong, 400, "invalid-request", "password", "4096 bytes");
        foreach (string hash in (string[])[
            "nothing", "$2b$12$abcdefghijklmnopqrstuv",
            "$argon2id$v=19$m=4194304,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$K13EBUiG7JV+9ZxztmHFTdb7J0WQsnj2V8bZaqyPptE",
            "$argon2id$v=19$m=19456,t=4000000,p=1$c29tZXNhbHRzb21lc2FsdA$K13EBUiG7JV+9ZxztmHFTdb7J0WQsnj2V8bZaqyPptE"])
        {
            using HttpResponseMessage response = await _client.PostAsJsonAsync("/v1/password-verifications", new { password = "a", hash }, ServiceApp.Token);
            await ServiceApp.AssertProblem(response, 422, "unprocessable-hash", "hash");
        }
    }

    [Theory]
    [InlineData("text/plain")]
    [InlineData("application/x-www-form-urlencoded")]
    [InlineData(null)]
    public async Task A_password_in_another_media_type_is_refused_and_the_problem_names_the_header(string? type)
    {
        using var content = new ByteArrayContent(Encoding.UTF8.GetBytes("""{"password":"a"}"""));
        if (type is not null) content.Headers.ContentType = new MediaTypeHeaderValue(type);
        using HttpResponseMessage response = await _client.PostAsync("/v1/password-hashes", content, ServiceApp.Token);
        await ServiceApp.AssertProblem(response, 415, "unsupported-media", "Content-Type", "application/json");
    }

    [Theory]
    [InlineData("noop", true)]
    [InlineData("inline", false)]
    [InlineData("sleep?ms=1", true)]
    [InlineData("sleep?ms=0&uncooperative=true", true)]
    public async Task The_diagnostic_routes_answer_GET_and_POST_and_all_but_inline_run_on_the_pool(string route, bool onPool)
    {
        using HttpResponseMessage got = await _client.GetAsync("/v1/diagnostics/" + route, ServiceApp.Token);
        using HttpResponseMessage posted = await _client.PostAsync("/v1/diagnostics/" + route, null, ServiceApp.Token);
        foreach (HttpResponseMessage response in (HttpResponseMessage[])[got, posted])
        {
            Assert.Equal("done\n", await response.Content.ReadAsStringAsync(ServiceApp.Token));
            Assert.Equal(onPool, response.Headers.Contains("Server-Timing"));
        }
    }

    [Fact]
    public async Task The_hash_of_the_diagnostics_is_pbkdf2()
    {
        string expected = Convert.ToHexStringLower(System.Security.Cryptography.Rfc2898DeriveBytes.Pbkdf2(
            "correct horse battery staple"u8, "0123456789abcdef"u8, 3, System.Security.Cryptography.HashAlgorithmName.SHA256, 32));
        Assert.Equal(expected + "\n", await _client.GetStringAsync("/v1/diagnostics/hash?iterations=3", ServiceApp.Token));
    }

    [Theory]
    [InlineData("sleep", "ms", "ms is missing")]
    [InlineData("sleep?ms=-1", "ms", "from 0 to 3600000")]
    [InlineData("sleep?ms=3600001", "ms", "from 0 to 3600000")]
    [InlineData("sleep?ms=1&uncooperative=perhaps", "uncooperative", "true or false")]
    [InlineData("hash?iterations=0", "iterations", "from 1 to 10000000")]
    [InlineData("hash?iterations=10000001", "iterations", "from 1 to 10000000")]
    [InlineData("hash?iterations=1&iterations=2", "iterations", "given 2 times")]
    public async Task Wrong_parameters_of_the_diagnostics_are_named(string route, string field, string says)
    {
        using HttpResponseMessage response = await _client.GetAsync("/v1/diagnostics/" + route, ServiceApp.Token);
        await ServiceApp.AssertProblem(response, 400, "invalid-request", field, says);
    }

    [Fact]
    public async Task An_unknown_route_and_a_wrong_method_are_answered_with_problems()
    {
        using HttpResponseMessage missing = await _client.GetAsync("/v1/nothing", ServiceApp.Token);
        await ServiceApp.AssertProblem(missing, 404, "not-found");
        using HttpResponseMessage method = await _client.GetAsync("/v1/thumbnails?width=3", ServiceApp.Token);
        await ServiceApp.AssertProblem(method, 405, "method-not-allowed");
        Assert.Equal("POST", Assert.Single(method.Content.Headers.Allow));
    }

    [Fact]
    public async Task A_request_that_is_refused_before_the_queue_does_not_count_as_accepted()
    {
        await using ServiceApp own = ServiceApp.With();
        HttpClient client = own.CreateClient();
        using HttpResponseMessage bad = await client.PostAsync("/v1/thumbnails?width=0", Photo(), ServiceApp.Token);
        using HttpResponseMessage text = await client.PostAsync("/v1/thumbnails?width=5", new StringContent("text"), ServiceApp.Token);
        Assert.Equal(0, own.Services.GetRequiredService<FixedThreadPool>().GetSnapshot().Accepted);
        using HttpResponseMessage good = await client.GetAsync("/v1/diagnostics/noop", ServiceApp.Token);
        Assert.Equal(1, own.Services.GetRequiredService<FixedThreadPool>().GetSnapshot().Accepted);
    }

    [Fact]
    public async Task A_body_over_the_limit_gets_413_that_names_the_limit()
    {
        await using ServiceApp small = ServiceApp.With(("Pool:MaxBodyBytes", "1000"));
        using HttpResponseMessage response = await small.CreateClient().PostAsync("/v1/thumbnails?width=9", new ByteArrayContent(new byte[1001]), ServiceApp.Token);
        JsonNode problem = await ServiceApp.AssertProblem(response, 413, "payload-too-large");
        Assert.Contains("1000", (string?)problem["detail"], StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Production", "", false)]
    [InlineData("Development", "", true)]
    [InlineData("Production", "true", true)]
    [InlineData("Development", "false", false)]
    public async Task The_diagnostics_are_enabled_by_their_setting_and_by_default_in_Development_only(string environment, string setting, bool there)
    {
        await using ServiceApp own = ServiceApp.In(environment, ("Workloads:Diagnostics", setting));
        using HttpResponseMessage response = await own.CreateClient().GetAsync("/v1/diagnostics/noop", ServiceApp.Token);
        Assert.Equal(there ? HttpStatusCode.OK : HttpStatusCode.NotFound, response.StatusCode);
        string welcome = await own.CreateClient().GetStringAsync("/openapi/v1.json", ServiceApp.Token);
        Assert.Equal(there, welcome.Contains("/v1/diagnostics/noop", StringComparison.Ordinal));
    }

    private Task<HttpResponseMessage> PostJson(string url, string body) =>
        _client.PostAsync(url, new StringContent(body, Encoding.UTF8, "application/json"), ServiceApp.Token);
}
