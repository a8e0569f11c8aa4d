using System.Net;
using System.Security.Claims;
using System.Text.Json;
using Microsoft.AspNetCore.Mvc;
using PoolApi.Jobs;
using PoolApi.Jobs.AspNetCore;

namespace PoolApi.Consumers.Tests;

/// <summary>Jobs in a consumer's app: the prefix of their routes, the jobs of each client, and configurations that fail the start.</summary>
public sealed class JobsTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    private string File => _folder.File("jobs.db");

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task The_self_link_of_a_job_has_the_prefix_of_the_MapJobs_routes(bool allowFirst)
    {
        await using ConsumerApp app = await StartAsync(app =>
        {
            RouteGroupBuilder group = app.MapGroup("/api/{version:int}");
            RouteHandlerBuilder work = group.MapPost("/work/{id:int}", static (int id, JobContext? job) => $"{id} {Trail.Here} {job?.Attempt}/{job?.MaxAttempts}");
            _ = allowFirst ? work.AllowJobs("work").RunOnPool() : work.RunOnPool().AllowJobs("work", static o => o.MaxAttempts = 7);
            app.MapGroup("/my").MapJobs("/background");
        });
        Uri asked = new("http://localhost/api/1/work/7");

        Reply accepted = await app.SendAsync(HttpMethod.Post, asked.AbsolutePath, null, ("Prefer", "respond-async"));
        Assert.Equal(HttpStatusCode.Accepted, accepted.Status);
        using JsonDocument job = JsonDocument.Parse(accepted.Body);
        var self = new Uri(asked, job.RootElement.GetProperty("links").GetProperty("self").GetString()!);
        Assert.Equal($"/my/background/{job.RootElement.GetProperty("id").GetString()}", self.AbsolutePath);

        await app.GetAsync(self.AbsolutePath, ("Prefer", "wait=60"));
        Assert.Equal(allowFirst ? "7 cpu 1/3" : "7 cpu 1/7", (await app.GetAsync(self.AbsolutePath + "/result")).Ok());
        Assert.Equal("7 cpu /", (await app.SendAsync(HttpMethod.Post, asked.AbsolutePath)).Ok());
        Assert.Contains("\"kind\":\"work\"", (await app.GetAsync("/my/background?kind=work")).Ok(), StringComparison.Ordinal);
        Reply retried = await app.SendAsync(HttpMethod.Post, self.AbsolutePath + ":retry");
        Assert.Equal(HttpStatusCode.Conflict, retried.Status);
        Assert.Contains("urn:poolapi:problem:job-not-retryable", retried.Body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_client_sees_only_its_own_jobs_and_an_anonymous_client_is_answered_401()
    {
        await using ConsumerApp app = await StartAsync(
            app =>
            {
                app.Use(static (context, next) =>
                {
                    if (context.Request.Headers["User"] is [{ } user]) context.User = new ClaimsPrincipal(new ClaimsIdentity([new Claim("sub", user)], "test"));
                    return next(context);
                });
                app.MapPost("/work", static () => "done").RunOnPool().AllowJobs();
                app.MapJobs();
            },
            static o => o.Client = static context => context.User.FindFirstValue("sub"));

        Reply accepted = await app.SendAsync(HttpMethod.Post, "/work", null, ("Prefer", "respond-async"), ("User", "ann"));
        Assert.Equal(HttpStatusCode.Accepted, accepted.Status);
        string job = "/jobs/" + JsonDocument.Parse(accepted.Body).RootElement.GetProperty("id").GetString();
        foreach (var (path, user, status) in ((string, string?, HttpStatusCode)[])
            [
                (job, "ann", HttpStatusCode.OK), (job, "bob", HttpStatusCode.NotFound), (job, null, HttpStatusCode.Unauthorized),
                ("/jobs", null, HttpStatusCode.Unauthorized), ("/jobs", "bob", HttpStatusCode.OK),
            ])
        {
            Reply reply = user is null ? await app.GetAsync(path) : await app.GetAsync(path, ("User", user));
            Assert.Equal((path, user, status), (path, user, reply.Status));
        }
        Assert.Equal("""{"jobs":[],"next":null}""", (await app.GetAsync("/jobs", ("User", "bob"))).Body);
        Assert.Equal(HttpStatusCode.Unauthorized, (await app.SendAsync(HttpMethod.Post, "/work", null, ("Prefer", "respond-async"))).Status);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("application/json")]
    [InlineData("text/html")]
    [InlineData("image/png")]
    public async Task The_app_customizes_the_problems_of_jobs(string? accept)
    {
        await using ConsumerApp app = await ConsumerApp.StartAsync(
            builder =>
            {
                builder.Services.AddProblemDetails(static o => o.CustomizeProblemDetails = static context =>
                {
                    context.ProblemDetails.Title = $"Shop: {context.ProblemDetails.Title}";
                    context.ProblemDetails.Extensions["support"] = new Support("René", 7);
                });
                builder.Services.AddJobs().UseSqlite(File);
            },
            static app =>
            {
                app.MapPost("/work", static () => "done").RunOnPool().AllowJobs("work");
                app.MapJobs();
            });
        (string, string)[] accepts = accept is null ? [] : [("Accept", accept)];
        foreach (var (method, path, status, name, title) in ((HttpMethod, string, HttpStatusCode, string, string)[])
            [
                (HttpMethod.Get, $"/jobs/{Guid.Empty}", HttpStatusCode.NotFound, "not-found", "Not found"),
                (HttpMethod.Get, "/jobs?state=gone", HttpStatusCode.BadRequest, "invalid-request", "The request is not valid"),
                (HttpMethod.Post, "/work?priority=urgent", HttpStatusCode.BadRequest, "invalid-request", "The request is not valid"),
            ])
        {
            Reply refused = await app.SendAsync(method, path, null, [.. accepts, ("Prefer", "respond-async")]);
            Assert.Equal((path, status, "application/problem+json"), (path, refused.Status, refused.ContentType));
            JsonElement problem = JsonDocument.Parse(refused.Body).RootElement;
            Assert.Equal(
                ($"urn:poolapi:problem:{name}", $"Shop: {title}"), (problem.GetProperty("type").GetString(), problem.GetProperty("title").GetString()));
            Assert.Contains("""
                "support":{"name":"René","line":7}
                """, refused.Body, StringComparison.Ordinal);
            Assert.Equal(status == HttpStatusCode.BadRequest, problem.TryGetProperty("errors", out _));
        }
    }

    private sealed record Support(string Name, int Line);

    [Fact]
    public async Task A_request_that_cannot_be_bound_or_that_a_filter_refuses_does_not_become_a_job()
    {
        await using ConsumerApp app = await StartAsync(static app =>
        {
            app.MapPost("/bind", static (int number) => number.ToString(System.Globalization.CultureInfo.InvariantCulture)).RunOnPool().AllowJobs();
            app.MapPost("/filter", static () => "done")
                .AddEndpointFilter(static (_, _) => ValueTask.FromResult<object?>(TypedResults.UnprocessableEntity())).RunOnPool().AllowJobs();
            app.MapJobs();
        });
        Assert.Equal(HttpStatusCode.BadRequest, (await app.SendAsync(HttpMethod.Post, "/bind?number=x", null, ("Prefer", "respond-async"))).Status);
        Assert.Equal(HttpStatusCode.UnprocessableEntity, (await app.SendAsync(HttpMethod.Post, "/filter", null, ("Prefer", "respond-async"))).Status);
        Assert.Equal("""{"jobs":[],"next":null}""", (await app.GetAsync("/jobs")).Body);
    }

    [Fact]
    public async Task The_OpenAPI_document_lists_the_parameters_and_routes_that_jobs_add()
    {
        await using ConsumerApp app = await ConsumerApp.StartAsync(
            builder =>
            {
                builder.Services.AddOpenApi();
                builder.Services.AddJobs().UseSqlite(File);
            },
            static app =>
            {
                app.MapOpenApi();
                app.MapPost("/work", static (int size) => "done").AllowJobs().RunOnPool();
                app.MapPost("/other", static () => "done").RunOnPool();
                app.MapJobs("/my/jobs");
            });
        using JsonDocument document = JsonDocument.Parse((await app.GetAsync("/openapi/v1.json")).Ok());
        JsonElement paths = document.RootElement.GetProperty("paths");
        JsonElement work = paths.GetProperty("/work").GetProperty("post");
        Assert.Equal(
            ["size", "Prefer", "Idempotency-Key"],
            work.GetProperty("parameters").EnumerateArray().Select(static p => p.GetProperty("name").GetString()!).Take(3));
        Assert.Contains(
            "/my/jobs/{id}",
            work.GetProperty("responses").GetProperty("202").GetProperty("headers").GetProperty("Location").GetProperty("description").GetString(), StringComparison.Ordinal);
        Assert.False(paths.GetProperty("/other").GetProperty("post").TryGetProperty("parameters", out _));
        Assert.Equal("cancelJob", paths.GetProperty("/my/jobs/{id}").GetProperty("delete").GetProperty("operationId").GetString());
        Assert.Equal("date-time", document.RootElement.GetProperty("components").GetProperty("schemas").GetProperty("JobView").GetProperty("properties").GetProperty("createdAt").GetProperty("format").GetString());
    }

    [Fact]
    public async Task A_job_runs_on_the_pool_of_its_endpoint_or_handler_and_a_busy_pool_holds_up_no_other()
    {
        using var gate = new ManualResetEventSlim();
        using var held = new SemaphoreSlim(0);
        await using ConsumerApp app = await ConsumerApp.StartAsync(
            builder =>
            {
                builder.Services.AddFixedThreadPool("io", static o => o.Workers = 1);
                builder.Services.AddJobs(static o => o.Share = 0).UseSqlite(File)
                    .AddJob<OfIo>("of io", (OfIo of) => $"{of.Number} {Trail.Here}", pool: "io")
                    .AddJob<OfCpu>("of cpu", (OfCpu of) => $"{of.Number} {Trail.Here}");
            },
            app =>
            {
                app.MapPost("/io", (CancellationToken cancellation) =>
                {
                    held.Release();
                    gate.Wait(cancellation);
                    return Trail.Here;
                }).RunOnPool("io").AllowJobs("io");
                app.MapPost("/cpu", static () => Trail.Here).RunOnPool("cpu").AllowJobs("cpu");
                app.MapJobs();
            });
        IJobs jobs = app.Services.GetRequiredService<IJobs>();
        string busy = await AcceptAsync("/io");
        await held.WaitAsync(ConsumerApp.Token); // the only worker of io runs it
        string waits = await AcceptAsync("/io");
        Job ofIo = await jobs.EnqueueAsync(new OfIo(2), cancellationToken: ConsumerApp.Token);

        // More jobs than cpu has workers, so that the workers claim some of them from the store.
        string[] others = [await AcceptAsync("/cpu"), await AcceptAsync("/cpu"), await AcceptAsync("/cpu"), await AcceptAsync("/cpu")];
        Job ofCpu = await jobs.EnqueueAsync(new OfCpu(1), cancellationToken: ConsumerApp.Token);
        foreach (string other in others) Assert.Equal("cpu", await ResultAsync(other));
        Assert.Equal("1 cpu", await ResultAsync("/jobs/" + (await jobs.WaitAsync(ofCpu.Id, ConsumerApp.Token))!.Id));
        foreach (string job in new[] { waits, "/jobs/" + ofIo.Id })
            Assert.Contains("\"state\":\"queued\"", (await app.GetAsync(job)).Ok(), StringComparison.Ordinal);

        gate.Set();
        Assert.Equal(["io", "io", "2 io"], [await ResultAsync(busy), await ResultAsync(waits), await ResultAsync("/jobs/" + ofIo.Id)]);

        async Task<string> AcceptAsync(string path)
        {
            Reply accepted = await app.SendAsync(HttpMethod.Post, path, null, ("Prefer", "respond-async"));
            return "/jobs/" + JsonDocument.Parse(accepted.Body).RootElement.GetProperty("id").GetString();
        }

        async Task<string> ResultAsync(string job)
        {
            await app.GetAsync(job, ("Prefer", "wait=60"));
            return (await app.GetAsync(job + "/result")).Ok();
        }
    }

    [Theory]
    [InlineData("store", "UseSqlite")]
    [InlineData("options", "JobsOptions.MaxAttempts is 0; it must be 1 to 100.")]
    [InlineData("routes", "app.MapJobs()")]
    [InlineData("two pools", "have jobs of the kind 'work' and run on two pools")]
    [InlineData("no pool", "does not run on a pool")]
    [InlineData("pool of jobs", "the pool 'gpu', which does not exist")]
    [InlineData("no jobs", "services.AddJobs()")]
    [InlineData("twice", "more than once")]
    [InlineData("parameter", "no route parameters")]
    public async Task An_incomplete_or_inconsistent_configuration_of_jobs_fails_the_start(string what, string says)
    {
        Exception fault = await Assert.ThrowsAnyAsync<Exception>(() => ConsumerApp.StartAsync(
            builder =>
            {
                builder.Services.AddFixedThreadPool("io");
                if (what == "no jobs") return;
                JobsBuilder jobs = builder.Services.AddJobs(o =>
                {
                    if (what == "options") o.MaxAttempts = 0;
                    if (what == "pool of jobs") o.Pool = "gpu";
                });
                if (what != "store") jobs.UseSqlite(File);
            },
            app =>
            {
                RouteHandlerBuilder work = app.MapPost("/work", static () => "done").AllowJobs("work");
                if (what != "no pool") work.RunOnPool();
                if (what == "two pools") app.MapPut("/work", static () => "done").RunOnPool("io").AllowJobs("work");
                if (what is not ("routes" or "no jobs")) app.MapJobs(what == "parameter" ? "/{tenant}/jobs" : "/jobs");
                if (what == "twice") app.MapJobs("/more");
            }));
        Assert.Contains(says, fault.Message, StringComparison.Ordinal);
    }

    public static TheoryData<string, Delegate> OwnOptions => new()
    {
        { "tag", static (string tag) => tag },
        { "tag", static ([FromQuery(Name = "tag")] string? word) => word },
        { "tag", static (string[] tag) => tag },
        { "priority", static (int? priority) => priority },
        { "timeout", static (TimeSpan timeout) => timeout },
        { "RunAt", static ([AsParameters] Search search) => search.RunAt },
    };

    [Theory]
    [MemberData(nameof(OwnOptions), DisableDiscoveryEnumeration = true)]
    public async Task A_parameter_in_the_query_that_has_the_name_of_an_option_fails_the_start(string name, Delegate handler)
    {
        Exception fault = await Assert.ThrowsAnyAsync<Exception>(() => StartAsync(app =>
        {
            app.MapGet("/search", handler).RunOnPool().AllowJobs();
            app.MapJobs();
        }));
        Assert.Contains($"allows jobs, which have an option '{name}' in the query", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_parameter_with_another_name_or_from_another_source_does_not_fail_the_start()
    {
        await using ConsumerApp app = await StartAsync(static app =>
        {
            app.MapGet("/query", static ([FromQuery(Name = "word")] string tag) => tag).RunOnPool().AllowJobs();
            app.MapGet("/path/{tag}", static (string tag) => tag).RunOnPool().AllowJobs();
            app.MapGet("/header", static ([FromHeader(Name = "Word")] string tag) => tag).RunOnPool().AllowJobs();
            app.MapGet("/service", static (Trail tag) => $"{tag.GetType().Name}").RunOnPool().AllowJobs();
            app.MapPost("/body", static (string[] tag) => string.Join(' ', tag)).RunOnPool().AllowJobs();
            app.MapGet("/no-job", static (string tag) => tag).RunOnPool();
            app.MapJobs();
        });
        Assert.Equal("x", (await app.GetAsync("/query?word=x")).Ok());
        Assert.Equal("x", (await app.GetAsync("/path/x")).Ok());
        Assert.Equal("x", (await app.GetAsync("/header", ("Word", "x"))).Ok());
        Assert.Equal("Trail", (await app.GetAsync("/service")).Ok());
        Assert.Equal("x y", (await app.PostAsync("/body", JsonContent.Create<string[]>(["x", "y"]))).Ok());
        Assert.Equal("x", (await app.GetAsync("/no-job?tag=x")).Ok());
    }

    private sealed record Search(DateTimeOffset RunAt);

    private sealed record OfCpu(int Number);

    private sealed record OfIo(int Number);

    public void Dispose() => _folder.Dispose();

    private Task<ConsumerApp> StartAsync(Action<WebApplication> map, Action<JobsOptions>? configure = null) =>
        ConsumerApp.StartAsync(builder => builder.Services.AddJobs(configure).UseSqlite(File), map);
}
