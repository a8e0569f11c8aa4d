namespace PoolApi.EndToEnd.Api;

/// <summary>If keys are set, a request for work needs a key, and no client can take the whole pool from the others.</summary>
public sealed class ApiKeyTests
{
    private const string Alice = "alices-key_0123456789!~";
    private const string Bob = "Bobs+key/ABCDEFGHIJ==";

    // Keys belong in the environment, because every user of a machine can read the command lines.
    private static readonly Dictionary<string, string> Keys = new() { ["Auth__ApiKeys__alice"] = Alice, ["Auth__ApiKeys__bob.2-b"] = Bob };

    [Theory, ClassData(typeof(OneForm))]
    public async Task Work_needs_a_key_and_nothing_else_does(ServiceForm form)
    {
        await using var service = await StartAsync(form, "--Pool:Workers 1");

        (await AskAsync(service, null, null)).MustBeProblem(401, "unauthorized");
        foreach (var (field, value) in new[]
        {
            ("X-Api-Key", Alice[..^1]), ("X-Api-Key", Alice + "x"), ("X-Api-Key", Alice.ToUpperInvariant()), ("X-Api-Key", ""),
            ("X-Api-Key", new string('x', 5000)), ("X-Api-Key", "Bearer " + Alice), ("Authorization", "Bearer"), ("Authorization", "Bearer " + Bob + Bob),
            ("Authorization", "Basic " + Alice), ("Authorization", Alice), ("Authorization", "Bearer" + Alice),
        })
        {
            var refused = await AskAsync(service, field, value);
            refused.MustBeProblem(401, "unauthorized");
            Assert.Equal("Bearer", refused.Header("WWW-Authenticate"));
            Assert.DoesNotContain(Alice, refused.Text, StringComparison.Ordinal);
        }

        Assert.Equal(0, (await service.WorkersAsync()).Workers.Sum(worker => worker.Completed));
        (await AskAsync(service, "X-Api-Key", Alice)).MustBe(200);
        (await AskAsync(service, "x-api-key", Bob)).MustBe(200);
        (await AskAsync(service, "Authorization", "Bearer " + Alice)).MustBe(200);
        (await AskAsync(service, "Authorization", "bearer  " + Bob)).MustBe(200);
        foreach (string open in new[] { "/", "/openapi/v1.json", "/v1/diagnostics/inline" })
            (await service.Api.GetAsync(open)).MustBe(200);
        (await service.Api.GetAsync("/v1/nonsense")).MustBeProblem(404);
        (await service.Management.GetAsync("/metrics")).MustBe(200);
        Assert.Equal(4, (await service.StopAsync()).Accepted);
    }

    [Fact]
    public async Task A_request_without_a_key_is_refused_before_its_body_is_read()
    {
        await using var service = await StartAsync(ServiceForm.Any);
        using var connection = await RawConnection.OpenAsync(service.Api.Port);

        await connection.SendAsync("POST /v1/thumbnails?width=8 HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: image/png\r\nContent-Length: 1000000\r\n\r\n");

        var refused = await connection.ReadAsync();
        Assert.NotNull(refused);
        refused.MustBeProblem(401, "unauthorized");
        (await service.WorkersAsync()).Workers.ToList().ForEach(worker => Assert.Equal(0, worker.Completed));
    }

    [Theory, ClassData(typeof(OneForm))]
    public async Task A_client_at_its_MaxConcurrency_is_refused_while_other_clients_are_served(ServiceForm form)
    {
        await using var service = await StartAsync(form, "--Pool:Workers 2", "--Auth:MaxConcurrency 2");
        // Both requests run. A queued request counts as much as a running one.
        var running = Enumerable.Range(0, 2).Select(_ => AskAsync(service, "X-Api-Key", Alice, PoolApiProcess.Sleep(3000))).ToArray();
        await service.SeeWorkersAsync(view => view.Busy == 2, "two busy workers");

        var refused = await AskAsync(service, "X-Api-Key", Alice);
        refused.MustBeProblem(429, "quota");
        refused.MustSayRetryAfter();
        var other = AskAsync(service, "X-Api-Key", Bob);
        await service.SeeWorkersAsync(view => view.QueueLength == 1, "the other client's request in the queue");
        foreach (var answer in await Task.WhenAll([.. running, other])) answer.MustBe(200);

        (await AskAsync(service, "X-Api-Key", Alice)).MustBe(200);
        Assert.Equal(1, (await service.MetricsAsync()).Sum("poolapi_work_rejected_total", "reason=\"quota\""));
        var summary = await service.StopAsync();
        Assert.Equal((4, 4), (summary.Accepted, summary.Completed));
    }

    [Theory, ClassData(typeof(OneForm))]
    public async Task The_variable_that_keys_new_prints_makes_the_service_accept_its_key(ServiceForm form)
    {
        string[] said = [.. (await PoolApiProcess.RunToEndAsync(form, "keys", "new", "alice")).MustSucceed().Lines.Select(static line => line.Trim())];
        string key = Assert.Single(said, static line => line.StartsWith("pk_", StringComparison.Ordinal));
        string[] variable = Assert.Single(said, static line => line.StartsWith("Auth__", StringComparison.Ordinal)).Split('=', 2);

        await using var service = await PoolApiProcess.StartAsync(
            form, onePort: false, new Dictionary<string, string> { [variable[0]] = variable[1] }, PoolApiProcess.Diagnostics);

        (await AskAsync(service, "X-Api-Key", key)).MustBe(200);
        (await AskAsync(service, "X-Api-Key", variable[1])).MustBeProblem(401, "unauthorized");
        (await AskAsync(service, null, null)).MustBeProblem(401, "unauthorized");
    }

    [Fact]
    public async Task The_curl_examples_of_the_root_page_include_the_API_key_header()
    {
        await using var service = await StartAsync(ServiceForm.NativeAot);
        string[] examples = [.. (await service.Api.GetAsync("/")).Text.Split('\n').Where(line => line.Contains("curl", StringComparison.Ordinal))];
        Assert.Equal(4, examples.Length);
        Assert.All(examples, line => Assert.Contains("curl -H 'X-Api-Key: YOUR-KEY' ", line, StringComparison.Ordinal));
    }

    [Fact]
    public async Task By_default_one_client_may_use_half_of_the_workers_and_queue_places()
    {
        await using var service = await StartAsync(ServiceForm.Any, "--Pool:Workers 1", "--Pool:QueueCapacity 4");
        var running = Enumerable.Range(0, 2).Select(_ => AskAsync(service, "X-Api-Key", Alice, PoolApiProcess.Sleep(1500))).ToArray();
        await service.SeeWorkersAsync(view => view is { Busy: 1, QueueLength: 1 }, "one runs, one waits");

        (await AskAsync(service, "X-Api-Key", Alice)).MustBeProblem(429, "quota");

        foreach (var answer in await Task.WhenAll(running)) answer.MustBe(200);
    }

    [Theory, ClassData(typeof(OneForm))]
    public async Task API_keys_appear_in_no_response_metric_or_log_line(ServiceForm form)
    {
        await using var service = await StartAsync(form, "--Logging:LogLevel:Default Trace", "--Logging:LogLevel:Microsoft Trace");
        const string Wrong = "a-wrong-key-of-some-length";
        var answers = new List<Answer>
        {
            await AskAsync(service, "X-Api-Key", Alice),
            await AskAsync(service, "Authorization", "Bearer " + Bob),
            await AskAsync(service, "X-Api-Key", Wrong),
            await AskAsync(service, "Authorization", "Bearer " + Wrong),
            await service.Api.GetAsync("/openapi/v1.json"),
            await service.Management.GetAsync("/metrics"),
            await service.Management.GetAsync("/v1/workers"),
        };
        await service.StopAsync();

        foreach (string key in new[] { Alice, Bob, Wrong })
        {
            Assert.All(answers, answer => Assert.DoesNotContain(key, answer.Text, StringComparison.Ordinal));
            Assert.DoesNotContain(service.Log.Lines, line => line.Contains(key, StringComparison.Ordinal));
        }
    }

    [Theory]
    [InlineData("Auth:ApiKeys:alice", "too-short-secr8", "Auth:ApiKeys:alice is")]
    [InlineData("Auth:ApiKeys:alice", "with-umlaut-ü-secret", "Auth:ApiKeys:alice is")]
    [InlineData("Auth:ApiKeys:alice:more", "a-good-enough-secret", "Auth:ApiKeys:alice:more is")]
    [InlineData("Auth:ApiKeys", "a-good-enough-secret", "Auth:ApiKeys is")]
    [InlineData("Auth:ApiKey:alice", "a-good-enough-secret", "Auth:ApiKey is")]
    // If a user writes the key in the place of the client's name, the log must not contain it.
    [InlineData("Auth:ApiKeys:a/good/enough/secret", "alice", "Auth:ApiKeys has an invalid client name")]
    public async Task An_invalid_key_setting_is_reported_without_its_secret(string name, string value, string fault)
    {
        string secret = value == "alice" ? name.Split(':')[^1] : value;
        var run = await PoolApiProcess.RunToEndAsync(
            ServiceForm.Any,
            "--Urls http://127.0.0.1:0", "--Management:Urls http://127.0.0.2:0", $"--{name} {value}", "--Auth:MaxConcurrency 0");

        Assert.Equal(78, run.ExitCode);
        Assert.Contains(run.Lines, line => line.Contains(fault, StringComparison.Ordinal));
        Assert.Contains(run.Lines, line => line.Contains("Auth:MaxConcurrency is '0'; it must be a whole number from 1 to 1000000.", StringComparison.Ordinal));
        Assert.DoesNotContain(secret, run.Text, StringComparison.Ordinal);
    }

    [Theory, ClassData(typeof(OneForm))]
    public async Task The_OpenAPI_document_requires_a_key_for_work_and_none_for_other_routes(ServiceForm form)
    {
        await using var service = await StartAsync(form);

        var document = (await service.Api.GetAsync("/openapi/v1.json")).MustBe(200).Json();

        var schemes = document.GetProperty("components").GetProperty("securitySchemes");
        Assert.Equal("bearer", schemes.GetProperty("bearer").GetProperty("scheme").GetString());
        Assert.Equal("X-Api-Key", schemes.GetProperty("apiKey").GetProperty("name").GetString());
        var paths = document.GetProperty("paths");
        var work = paths.GetProperty("/v1/thumbnails").GetProperty("post");
        Assert.Equal(["bearer", "apiKey"], work.GetProperty("security").EnumerateArray().Select(s => s.EnumerateObject().Single().Name));
        foreach (string status in new[] { "401", "429" })
            Assert.True(work.GetProperty("responses").GetProperty(status).GetProperty("content").TryGetProperty("application/problem+json", out _));
        var inline = paths.GetProperty("/v1/diagnostics/inline").GetProperty("get");
        Assert.Equal(0, inline.GetProperty("security").GetArrayLength()); // an explicit empty list, which linters require
        Assert.False(inline.GetProperty("responses").TryGetProperty("401", out _));
    }

    private static Task<PoolApiProcess> StartAsync(ServiceForm form, params string[] settings) =>
        PoolApiProcess.StartAsync(form, onePort: false, Keys, [PoolApiProcess.Diagnostics, .. settings]);

    private static Task<Answer> AskAsync(PoolApiProcess service, string? field, string? value, string path = "/v1/diagnostics/noop")
    {
        var request = new HttpRequestMessage(HttpMethod.Post, path);
        if (field is not null) request.Headers.TryAddWithoutValidation(field, value);
        return service.Api.SendAsync(request);
    }
}
