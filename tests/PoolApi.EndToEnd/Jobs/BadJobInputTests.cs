using System.Net.Http.Headers;

namespace PoolApi.EndToEnd.Jobs;

/// <summary>P9 for jobs: an invalid request gets a 4xx with the reason, and never a 202 for a job that cannot run.</summary>
public sealed class BadJobInputTests(SharedServices services)
{
    private const string Noop = "/v1/diagnostics/noop";

    [Theory, ClassData(typeof(BothForms))]
    public async Task Every_job_route_answers_404_for_an_unknown_id(ServiceForm form)
    {
        var api = (await services.InAsync(form)).Api;
        foreach (string id in new[]
        {
            Guid.CreateVersion7().ToString(), Guid.Empty.ToString(), Guid.NewGuid().ToString("N"), "0", "x", "..%2f..%2fetc", "'%20or%201=1", new string('a', 3000),
        })
        {
            (await api.GetAsync($"/v1/jobs/{id}")).MustBeProblem(404);
            (await api.GetWithAsync($"/v1/jobs/{id}", "Prefer: wait=30")).MustBeProblem(404);
            (await api.GetAsync($"/v1/jobs/{id}/result")).MustBeProblem(404);
            (await api.GetAsync($"/v1/jobs/{id}/events")).MustBeProblem(404);
            (await api.SendAsync(new HttpRequestMessage(HttpMethod.Delete, $"/v1/jobs/{id}"))).MustBeProblem(404);
            (await api.PostAsync($"/v1/jobs/{id}:retry")).MustBeProblem(404);
        }
    }

    [Theory]
    [InlineData("cursor=x", "cursor")]
    [InlineData("cursor=", "cursor")]
    [InlineData("cursor=AZ%27%27%27", "cursor")]
    [InlineData("cursor=AAAAAAAAAAAAAAAAAAAAAAAAAAAA", "cursor")]
    [InlineData("state=done", "state")]
    [InlineData("state=", "state")]
    [InlineData("state=queued&state=running", "state")]
    [InlineData("kind=nonsense", "kind")]
    [InlineData("kind=password-hashes", "kind")]
    [InlineData("tag=", "tag")]
    [InlineData("tag=a%20b", "tag")]
    [InlineData("limit=0", "limit")]
    [InlineData("limit=1001", "limit")]
    [InlineData("limit=1e3", "limit")]
    public async Task An_invalid_query_of_the_job_list_is_refused_and_its_parameter_is_named(string query, string field)
    {
        var api = (await services.InAsync(ServiceForm.NativeAot)).Api;

        (await api.GetAsync("/v1/jobs?" + query)).MustBeProblem(400, "invalid-request").MustName(field);
    }

    [Fact]
    public async Task A_cursor_of_7000_characters_is_refused()
    {
        var api = (await services.InAsync(ServiceForm.NativeAot)).Api;

        (await api.GetAsync("/v1/jobs?cursor=" + new string('A', 7000))).MustBeProblemOf(400, 414);
    }

    [Theory]
    [InlineData("Prefer: respond-async|Idempotency-Key:")]
    [InlineData("Prefer: respond-async|Idempotency-Key: \"\"")]
    [InlineData("Prefer: respond-async|Idempotency-Key: \"open")]
    [InlineData("Prefer: respond-async|Idempotency-Key: two words")]
    [InlineData("Idempotency-Key: a,b")]
    [InlineData("Prefer: respond-async|Job-Priority: urgent")]
    [InlineData("Prefer: respond-async|Job-Run-At: tomorrow")]
    [InlineData("Prefer: respond-async|Job-Run-At: 9999-12-31T23:59:59Z")]
    [InlineData("Prefer: respond-async|Job-Run-At: 2026-02-30T00:00:00Z")]
    [InlineData("Prefer: respond-async|Job-Timeout: 0")]
    [InlineData("Prefer: respond-async|Job-Timeout: -5")]
    [InlineData("Prefer: respond-async|Job-Timeout: 1000000")]
    [InlineData("Prefer: respond-async|Job-Tags: a b")]
    [InlineData("Prefer: respond-async|Job-Tags: a, a")]
    [InlineData("Prefer: respond-async|Job-Tags: 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17")]
    public async Task An_invalid_job_header_is_refused_and_named(string fields)
    {
        var service = await services.InAsync(ServiceForm.Any);
        string[] each = fields.Split('|');
        // Sent raw, so that the headers arrive unchanged.
        using var connection = await RawConnection.OpenAsync(service.Api.Port);
        await connection.SendAsync($"POST {Noop} HTTP/1.1\r\nHost: 127.0.0.1\r\n{string.Join("\r\n", each)}\r\nContent-Length: 0\r\n\r\n");

        var answer = await connection.ReadAsync();

        Assert.NotNull(answer);
        answer.MustBeProblem(400, "invalid-request").MustName(each[^1].Split(':')[0]);
    }

    /// <summary>A request with job options whose client forgot respond-async must not run at once.</summary>
    [Theory]
    [InlineData("", "Job-Run-At: 2100-01-01T00:00:00Z")]
    [InlineData("", "Job-Priority: low")]
    [InlineData("", "Job-Timeout: 60")]
    [InlineData("", "Job-Tags: a")]
    [InlineData("", "Job-Tags: a|Prefer: wait=5")]
    [InlineData("?runAt=2100-01-01T00:00:00Z", "")]
    [InlineData("?priority=nonsense", "")]
    [InlineData("?timeout=60", "")]
    [InlineData("?tag=a", "")]
    [InlineData("", "Job-Run-At: 2100-01-01T00:00:00Z|Idempotency-Key: {0}")]
    [InlineData("", "Job-Priority: low|Idempotency-Key: {0}")]
    public async Task Job_headers_and_parameters_are_refused_without_respond_async(string query, string fields)
    {
        var service = await services.InAsync(ServiceForm.NativeAot);
        string[] each = string.Format(System.Globalization.CultureInfo.InvariantCulture, fields, Guid.NewGuid())
            .Split('|', StringSplitOptions.RemoveEmptyEntries);

        var problem = (await service.Api.PostWithAsync(Noop + query, null, each)).MustBeProblem(400, "invalid-request");

        problem.MustName(query.Length > 0 ? query[1..query.IndexOf('=', StringComparison.Ordinal)] : each[0].Split(':')[0]);
        Assert.Contains("respond-async", problem.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_request_with_a_key_may_have_a_timeout_and_tags_and_other_routes_ignore_tags()
    {
        var service = await services.InAsync(ServiceForm.NativeAot);
        string key = $"{Guid.NewGuid():N}";
        (await service.Api.PostWithAsync(Noop, null, $"Idempotency-Key: {key}", $"Job-Tags: {key}", "Job-Timeout: 60")).MustBe(200);
        var job = Assert.Single(await service.Api.JobsAsync($"tag={key}"));
        Assert.Equal(System.Text.Json.JsonValueKind.String, job.Json.GetProperty("deadline").ValueKind);
        (await service.Api.PostWithAsync("/v1/diagnostics/inline", null, "Job-Tags: a")).MustBe(200);
    }

    [Theory, ClassData(typeof(BothForms))]
    public async Task A_key_of_10_kB_is_refused_and_one_of_255_characters_is_not(ServiceForm form)
    {
        var service = await services.InAsync(form);

        foreach (int length in new[] { 256, 10_000 })
        {
            (await service.Api.PostWithAsync(Noop, null, "Prefer: respond-async", $"Idempotency-Key: {new string('k', length)}"))
                .MustBeProblem(400, "invalid-request").MustName("Idempotency-Key").MustNameLimit();
        }

        string longest = $"{Guid.NewGuid():N}{new string('k', 223)}";
        var id = await service.Api.AcceptJobAsync(Noop, $"Idempotency-Key: {longest}");
        Assert.Equal(id, await service.Api.AcceptJobAsync(Noop, $"Idempotency-Key: \"{longest}\""));
    }

    [Theory]
    [InlineData("/v1/nonsense", 404)]
    [InlineData("/v1/commands/rm", 404)]
    [InlineData("/v1/diagnostics/sleep", 400)]
    [InlineData("/v1/diagnostics/sleep?ms=-1", 400)]
    [InlineData("/v1/diagnostics/hash?iterations=many", 400)]
    [InlineData("/v1/thumbnails?width=0", 400)]
    public async Task An_invalid_request_is_refused_before_a_job_is_stored(string path, int status)
    {
        var service = await services.InAsync(ServiceForm.NativeAot);
        string tag = "t" + Guid.NewGuid().ToString("N");

        (await service.Api.PostWithAsync(path, null, "Prefer: respond-async", $"Job-Tags: {tag}")).MustBeProblem(status);

        Assert.Empty(await service.Api.JobsAsync($"tag={tag}"));
    }

    [Theory, ClassData(typeof(BothForms))]
    public async Task A_thumbnail_job_without_an_image_is_refused(ServiceForm form)
    {
        var service = await services.InAsync(form);
        var answer = await service.Api.PostWithAsync("/v1/thumbnails?width=8", null, "Prefer: respond-async");
        answer.MustBeProblemOf(400, 415, 422);
        (await service.Api.PostWithAsync("/v1/thumbnails?width=8", new StringContent("hello"), "Prefer: respond-async")).MustBeProblemOf(415, 422);
    }

    [Fact]
    public async Task A_job_body_over_the_limit_of_jobs_or_of_requests_is_refused()
    {
        await using var service = await PoolApiProcess.StartAsync(
            ServiceForm.NativeAot, "--Pool:Workers 1", "--Jobs:MaxPayloadBytes 50000", "--Pool:MaxBodyBytes 100000", PoolApiProcess.Diagnostics);
        foreach (var (bytes, status) in new[] { (50_000, 202), (50_001, 413), (100_001, 413), (5_000_000, 413) })
        {
            var image = new ByteArrayContent(Png.OfSize(bytes)) { Headers = { ContentType = new MediaTypeHeaderValue("image/png") } };
            var answer = await service.Api.PostWithAsync("/v1/thumbnails?width=8", image, "Prefer: respond-async");
            if (status == 202)
                JobRequests.IdOf(answer);
            else
                answer.MustBeProblem(status, "payload-too-large").MustNameLimit().MustName("body");
        }

        Assert.Equal(1, (await service.MetricsAsync()).Sum("poolapi_job_accepted_total"));
    }

    [Fact]
    public async Task A_result_over_the_limit_fails_the_job_with_result_too_large()
    {
        await using var service = await PoolApiProcess.StartAsync(ServiceForm.NativeAot, "--Pool:Workers 1", "--Jobs:MaxResultBytes 1000", PoolApiProcess.Diagnostics);
        var image = new ByteArrayContent(Png.Gradient(600, 400)) { Headers = { ContentType = new MediaTypeHeaderValue("image/png") } };

        var job = await service.Api.JobEndsAsync(await service.Api.AcceptJobAsync("/v1/thumbnails?width=300&format=png", image));

        Assert.Equal(("failed", "result-too-large", 1), (job.State, job.Error, job.Attempt));
        (await service.Api.ResultAsync(job.Id)).MustBeProblem(500, "result-too-large");
    }

    [Theory, ClassData(typeof(BothForms))]
    public async Task Unknown_and_malformed_preferences_are_ignored(ServiceForm form)
    {
        var service = await services.InAsync(form);
        foreach (string prefer in new[] { "handling=lenient", "respond-asynchronously", "respond-async=maybe", ",;=\"", "return=minimal; foo=\"bar\"" })
            (await service.Api.PostWithAsync(Noop, null, $"Prefer: {prefer}")).MustBe(200);
        JobRequests.IdOf(await service.Api.PostWithAsync(Noop, null, "Prefer: handling=lenient, RESPOND-ASYNC; x=y"));
        (await service.Api.PostWithAsync("/v1/diagnostics/inline", null, "Prefer: respond-async")).MustBe(200);
    }
}
