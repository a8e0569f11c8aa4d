using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http.HttpResults;
using PoolApi.AspNetCore.Endpoints;
using PoolApi.Jobs;
using PoolApi.Problems;
using PoolApi.Requests;
using PoolApi.Tests.Service;
using PoolApi.Threading;

namespace PoolApi.Tests.JobRequests;

/// <summary>Jobs whose handler, filter or result fails: their state and attempts, the problem that the client gets, and the log.</summary>
public class JobFailureTests
{
    [Theory]
    [InlineData("/v1/refused", 422, "unprocessable-hash", 1)]
    [InlineData("/v1/unbindable", 500, "internal-error", 2)]
    public async Task A_job_that_is_refused_or_cannot_be_bound_when_it_runs_fails_with_a_problem(string path, int status, string name, int attempts)
    {
        await using StorableApp app = await StorableApp.StartAsync(static app =>
        {
            // As after a restart with other settings: the request is valid when it is accepted, and not when the job runs.
            app.MapPost("/v1/refused", static (RefusedLater request) => "done").RefuseInvalid().AllowJobs().RunOnPool();
            app.MapPost("/v1/unbindable", static (UnbindableLater request) => "done").AllowJobs().RunOnPool();
        });
        using var request = new HttpRequestMessage(HttpMethod.Post, path);

        using HttpResponseMessage answer = await app.SendAsync(request, asJob: true);

        JsonNode problem = await ServiceApp.AssertProblem(answer, status, name);
        if (status == 500) Assert.Contains("before its work began", (string?)problem["detail"], StringComparison.Ordinal);
        JsonNode job = await app.JobOfAsync(answer);
        Assert.Equal((attempts, name), ((int)job["attempt"]!, (string?)job["error"]!["name"]));
    }

    [Fact]
    public async Task A_job_of_an_unknown_kind_is_retried_and_then_fails()
    {
        await using StorableApp app = await StorableApp.StartAsync(static app => app.MapPost("/v1/known", static () => "done").AllowJobs().RunOnPool());
        var request = new StoredRequest(HttpMethods.Post, "/v1/new", "", null, ReadOnlyMemory<byte>.Empty, StoredMetadata.OfCode().ToText());
        JobAcceptance accepted = await app.Store.AcceptAsync(new NewJob { Kind = "new", Payload = request.ToPayload(), MaxAttempts = 2 }, ServiceApp.Token);

        using var waiting = new HttpRequestMessage(HttpMethod.Get, $"/v1/jobs/{accepted.Job.Id}") { Headers = { { "Prefer", "wait=60" } } };
        using HttpResponseMessage ended = await app.Client.SendAsync(waiting, ServiceApp.Token);

        JsonNode job = JsonNode.Parse(await ended.Content.ReadAsStringAsync(ServiceApp.Token))!;
        Assert.Equal(("failed", 2, "unknown-kind"), ((string?)job["state"], (int)job["attempt"]!, (string?)job["error"]!["name"]));
    }

    private sealed record RefusedLater(IResult? Refusal) : IValidatedRequest
    {
        public static ValueTask<RefusedLater?> BindAsync(HttpContext context) => ValueTask.FromResult<RefusedLater?>(new(
            context.Features.Get<IRequestStoreFeature>() is null ? Problem.Of(context, ServiceProblems.UnprocessableHash) : null));
    }

    private sealed record UnbindableLater
    {
        public static ValueTask<UnbindableLater?> BindAsync(HttpContext context) => context.Features.Get<IRequestStoreFeature>() is null
            ? throw new InvalidOperationException("the secret")
            : ValueTask.FromResult<UnbindableLater?>(new());
    }

    [Theory]
    [InlineData(200, "succeeded", 1)]
    [InlineData(302, "succeeded", 1)]
    [InlineData(404, "failed", 1)]
    [InlineData(503, "failed", 2)]
    public async Task A_filter_that_answers_without_calling_the_handler_decides_the_outcome_of_the_job(int status, string state, int attempts)
    {
        await using StorableApp app = await StorableApp.StartAsync(app =>
        {
            app.MapPost("/v1/filtered", static () => "from the handler")
                .AddEndpointFilter((call, next) => call.HttpContext.Features.Get<IAcceptedWorkFeature>() is null
                    ? next(call)
                    : ValueTask.FromResult<object?>(TypedResults.Text("from the filter", statusCode: status)))
                .AllowJobs().RunOnPool();
        });
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/filtered");

        using HttpResponseMessage answer = await app.SendAsync(request, asJob: true);

        Assert.Equal((status, "from the filter"), ((int)answer.StatusCode, await answer.Content.ReadAsStringAsync(ServiceApp.Token)));
        JsonNode job = await app.JobOfAsync(answer);
        Assert.Equal((attempts, state), ((int)job["attempt"]!, (string?)job["state"]));
    }

    [Theory]
    [InlineData(200, "succeeded", 1)]
    [InlineData(422, "failed", 1)]
    [InlineData(503, "failed", 2)]
    public async Task A_filter_that_catches_the_exception_of_the_handler_decides_the_outcome_of_the_job(int status, string state, int attempts)
    {
        await using StorableApp app = await StorableApp.StartAsync(app =>
        {
            app.MapPost("/v1/mapped", string () => throw new FormatException())
                .AddEndpointFilter(async (call, next) =>
                {
                    try
                    {
                        return await next(call);
                    }
                    catch (FormatException)
                    {
                        return TypedResults.Text("mapped", statusCode: status);
                    }
                })
                .AllowJobs().RunOnPool();
        });
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/mapped");

        using HttpResponseMessage answer = await app.SendAsync(request, asJob: true);

        Assert.Equal((status, "mapped"), ((int)answer.StatusCode, await answer.Content.ReadAsStringAsync(ServiceApp.Token)));
        JsonNode job = await app.JobOfAsync(answer);
        Assert.Equal((attempts, state), ((int)job["attempt"]!, (string?)job["state"]));
    }

    [Theory]
    [InlineData(false, 504)]
    [InlineData(true, 500)]
    public async Task A_filter_that_stops_waiting_for_the_handler_fails_the_job_and_cancels_the_handler(bool throws, int status)
    {
        using var begun = new SemaphoreSlim(0);
        await using StorableApp app = await StorableApp.StartAsync(app =>
        {
            app.MapPost("/v1/late", async (CancellationToken cancellation) =>
                {
                    begun.Release();
                    await Task.Delay(Timeout.Infinite, cancellation);
                    return "never";
                })
                .AddEndpointFilter(async (call, next) =>
                {
                    if (call.HttpContext.Features.Get<IAcceptedWorkFeature>() is null) return await next(call);
                    _ = next(call).AsTask();
                    await begun.WaitAsync(ServiceApp.Token);
                    return throws ? throw new TimeoutException() : TypedResults.Text("late", statusCode: 504);
                })
                .AllowJobs().RunOnPool();
        });
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/late");

        using HttpResponseMessage answer = await app.SendAsync(request, asJob: true);

        Assert.Equal(status, (int)answer.StatusCode);
        JsonNode job = await app.JobOfAsync(answer);
        Assert.Equal((2, "failed", "work-failed"), ((int)job["attempt"]!, (string?)job["state"], (string?)job["error"]!["name"]));
        Assert.Equal(2, app.App.Services.GetRequiredService<FixedThreadPool>().GetSnapshot().Counts[WorkOutcome.Cancelled]);
    }

    [Theory]
    [InlineData(true)] // the queue of the pool is full
    [InlineData(false)] // the work expires in the queue
    public async Task A_filter_exception_uses_no_attempt_if_the_pool_did_not_run_the_work(bool isFull)
    {
        using var gate = new WorkGate<bool>(true);
        int ran = 0;
        await using StorableApp app = await StorableApp.StartAsync(
            app =>
            {
                FixedThreadPool pool = app.Services.GetRequiredKeyedService<FixedThreadPool>("small");
                app.MapPost("/v1/cast", () => new Word($"{Interlocked.Increment(ref ran)}"))
                    .AddEndpointFilter(async (call, next) =>
                    {
                        if (call.HttpContext.Features.Get<IAcceptedWorkFeature>() is null) return await next(call);
                        bool isFirst = gate.Arrived == 0;
                        // On a busy machine this work may expire before a worker takes it. Then it is submitted again.
                        while (gate.Arrived == 0) await Task.WhenAny(pool.RunAsync(() => gate.Pass()).AsTask(), gate.ArrivalAsync());
                        if (isFirst && isFull) _ = pool.RunAsync(static () => { }).AsTask();
                        try
                        {
                            return (Word)(await next(call))!;
                        }
                        finally
                        {
                            gate.Open();
                        }
                    })
                    .AllowJobs().RunOnPool("small");
            },
            // The pool has the limit, because the queue limit of an endpoint does not apply to its jobs.
            services: services => services.AddFixedThreadPool("small", o =>
            {
                (o.Workers, o.QueueCapacity) = (1, 1);
                if (!isFull) o.MaxQueueTime = TimeSpan.FromMilliseconds(50);
            }));
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/cast");

        using HttpResponseMessage answer = await app.SendAsync(request, asJob: true);

        Assert.Equal((200, "{\"text\":\"1\"}"), ((int)answer.StatusCode, await answer.Content.ReadAsStringAsync(ServiceApp.Token)));
        JsonNode job = await app.JobOfAsync(answer);
        Assert.Equal((1, "succeeded"), ((int)job["attempt"]!, (string?)job["state"]));
    }

    [Fact]
    public async Task With_a_throwing_filter_the_bytes_of_a_timed_out_attempt_stay_counted_until_the_handler_returns()
    {
        using var gate = new WorkGate<string>("late");
        await using StorableApp app = await StorableApp.StartAsync(
            app =>
            {
                app.MapPost("/v1/slow", () => gate.Pass())
                    .AddEndpointFilter(static async (call, next) =>
                    {
                        object? result = await next(call);
                        return call.HttpContext.Features.Get<IAcceptedWorkFeature>() is null ? result : throw new InvalidCastException();
                    })
                    .AllowJobs().RunOnPool(configure: static o => o.MaxRunTime = TimeSpan.FromMilliseconds(50));
            },
            settings: ("Jobs:MaxAttempts", "1"));
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/slow") { Content = new ByteArrayContent(new byte[1000]) };

        using HttpResponseMessage answer = await app.SendAsync(request, asJob: true);

        Assert.Equal(500, (int)answer.StatusCode);
        var jobs = app.App.Services.GetRequiredService<PoolApi.Jobs.Running.JobDispatchers>();
        await Patience.UntilAsync(() => !jobs.Attempts.Any());
        Assert.Equal(1000, jobs.BytesInHand);
        gate.Open();
        await Patience.UntilAsync(() => jobs.BytesInHand == 0);
    }

    [Theory]
    [InlineData("Prefer", "respond-async", 202)]
    [InlineData("Prefer", "respond-async, wait=150", 200)]
    [InlineData("Idempotency-Key", "\"once\"", 200)]
    public async Task A_filter_that_calls_the_handler_twice_while_the_request_is_stored_creates_one_job(string header, string value, int status)
    {
        await using StorableApp app = await StorableApp.StartAsync(static app =>
            app.MapPost("/v1/work", static (Word word) => word.Text)
                .AddEndpointFilter(static async (call, next) =>
                {
                    object? result = await next(call);
                    return call.HttpContext.Features.Get<IAcceptedWorkFeature>() is null ? await next(call) : result;
                })
                .AllowJobs().RunOnPool());
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/work")
        {
            Content = JsonContent.Create(new Word("x")),
            Headers = { { header, value } },
        };

        using HttpResponseMessage answer = await app.Client.SendAsync(request, ServiceApp.Token);

        Assert.Equal(status, (int)answer.StatusCode);
        if (status == 200) Assert.Equal("x", await answer.Content.ReadAsStringAsync(ServiceApp.Token));
        Assert.Single((await app.Store.ListAsync(new JobQuery { Limit = 10 }, ServiceApp.Token)).Jobs);
    }

    [Fact]
    public async Task A_filter_that_retries_a_failed_call_gets_the_same_job_under_its_idempotency_key()
    {
        await using StorableApp app = await StorableApp.StartAsync(static app =>
            app.MapPost("/v1/abort", static (HttpContext context, Word word) => context.Abort())
                .AddEndpointFilter(static async (call, next) =>
                {
                    object? result = await next(call);
                    return result is IStatusCodeHttpResult { StatusCode: >= 500 } ? await next(call) : result;
                })
                .AllowJobs().RunOnPool());
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/abort")
        {
            Content = JsonContent.Create(new Word("x")),
            Headers = { { "Idempotency-Key", "\"once\"" } },
        };

        using HttpResponseMessage answer = await app.Client.SendAsync(request, ServiceApp.Token);

        await ServiceApp.AssertProblem(answer, 500, "work-failed");
        Assert.Single((await app.Store.ListAsync(new JobQuery { Limit = 10 }, ServiceApp.Token)).Jobs);
    }

    private sealed record Word(string Text);

    [Theory]
    [InlineData(422, "[\"x\"]")]
    [InlineData(422, "null")]
    [InlineData(422, "")]
    [InlineData(422, "{\"type\":1}")]
    [InlineData(422, "{\"type\":[\"urn:poolapi:problem:work-failed\"]}")]
    [InlineData(422, "{\"type\":\"x\",\"detail\":{}}")]
    [InlineData(422, "{\"type\":\"urn:poolapi:problem:odd\",\"detail\":7}", "odd", "")]
    [InlineData(422, "{\"type\":\"urn:poolapi:problem:odd\",\"detail\":\"\\ud800\"}", "odd", "")]
    [InlineData(422, "{\"type\":\"\u00ff\"}")] // not UTF-8: the bytes are Latin-1
    [InlineData(422, "{\"type\":\"urn:poolapi:problem:odd\",\"detail\":\"said\"}", "odd", "said")]
    [InlineData(500, "[1]")]
    public async Task A_malformed_problem_of_the_handler_is_returned_unchanged_and_the_job_fails(int status, string body, string name = "work-failed", string? detail = null)
    {
        byte[] bytes = System.Text.Encoding.Latin1.GetBytes(body);
        await using StorableApp app = await StorableApp.StartAsync(
            app => app.MapPost("/v1/odd", () => new Answer(status, bytes)).AllowJobs().RunOnPool());
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/odd");

        using HttpResponseMessage answer = await app.SendAsync(request, asJob: true);

        Assert.Equal(status, (int)answer.StatusCode);
        Assert.Equal(bytes, await answer.Content.ReadAsByteArrayAsync(ServiceApp.Token));
        JsonNode job = await app.JobOfAsync(answer);
        Assert.Equal(
            (status >= 500 ? 2 : 1, "failed", name, detail ?? $"The work answered {status}."),
            ((int)job["attempt"]!, (string?)job["state"], (string?)job["error"]!["name"], (string?)job["error"]!["detail"]));
    }

    private sealed class Answer(int status, byte[] body) : IResult
    {
        public async Task ExecuteAsync(HttpContext httpContext)
        {
            httpContext.Response.StatusCode = status;
            httpContext.Response.ContentType = "application/problem+json";
            await httpContext.Response.Body.WriteAsync(body);
        }
    }

    [Fact]
    public async Task A_long_problem_is_truncated_in_the_error_of_the_job_and_complete_in_its_result()
    {
        string name = new('n', 200), detail = new string('d', 1999) + "\uD83D\uDE00" + new string('d', 1_000_000);
        byte[] bytes = System.Text.Encoding.UTF8.GetBytes($"{{\"type\":\"urn:poolapi:problem:{name}\",\"detail\":\"{detail}\"}}");
        await using StorableApp app = await StorableApp.StartAsync(
            app => app.MapPost("/v1/long", () => new Answer(422, bytes)).AllowJobs().RunOnPool());
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/long");

        using HttpResponseMessage answer = await app.SendAsync(request, asJob: true);

        Assert.Equal(bytes, await answer.Content.ReadAsByteArrayAsync(ServiceApp.Token));
        JsonNode job = await app.JobOfAsync(answer);
        Assert.Equal((name[..100], detail[..1999]), ((string?)job["error"]!["name"], (string?)job["error"]!["detail"]));
    }

    [Theory]
    [InlineData("/v1/handler")]
    [InlineData("/v1/result")]
    public async Task A_job_whose_result_is_too_large_is_not_retried_even_if_the_exception_is_wrapped(string path)
    {
        await using StorableApp app = await StorableApp.StartAsync(
            static app =>
            {
                app.MapPost("/v1/handler", static (HttpContext context) => Write(context)).AllowJobs().RunOnPool();
                app.MapPost("/v1/result", static () => new Wrapping()).AllowJobs().RunOnPool();
            },
            settings: ("Jobs:MaxResultBytes", "100000"));
        using var request = new HttpRequestMessage(HttpMethod.Post, path);

        using HttpResponseMessage answer = await app.SendAsync(request, asJob: true);

        await ServiceApp.AssertProblem(answer, 500, "result-too-large");
        JsonNode job = await app.JobOfAsync(answer);
        Assert.Equal((1, "result-too-large"), ((int)job["attempt"]!, (string?)job["error"]!["name"]));
    }

    private static string Write(HttpContext context)
    {
        try
        {
            context.Response.Body.Write(new byte[200_000]);
            return "never";
        }
        catch (Exception e)
        {
            throw new InvalidOperationException("The export has failed.", e);
        }
    }

    private sealed class Wrapping : IResult
    {
        public Task ExecuteAsync(HttpContext httpContext)
        {
            Write(httpContext);
            return Task.CompletedTask;
        }
    }

    [Theory]
    [InlineData("/v1/sequence")]
    [InlineData("/v1/executed")]
    public async Task A_sequence_result_is_enumerated_only_up_to_the_result_limit(string path)
    {
        int rows = 0;
        await using StorableApp app = await StorableApp.StartAsync(
            app =>
            {
                app.MapPost("/v1/sequence", () => Rows()).AllowJobs().RunOnPool();
                app.MapPost("/v1/executed", () => TypedResults.Ok(Rows())).AllowJobs().RunOnPool(configure: static o => o.ExecuteResult = true);
            },
            settings: ("Jobs:MaxResultBytes", "100000"));
        using var request = new HttpRequestMessage(HttpMethod.Post, path);

        using HttpResponseMessage answer = await app.SendAsync(request, asJob: true);

        await ServiceApp.AssertProblem(answer, 500, "result-too-large");
        Assert.InRange(rows, 1, 3);

        IEnumerable<string> Rows()
        {
            var row = new string('x', 64 * 1024);
            for (int i = 0; i < 80; i++)
            {
                rows++;
                yield return row;
            }
        }
    }

    [Theory]
    [InlineData("/v1/list")]
    [InlineData("/v1/bytes")]
    [InlineData("/v1/executed")]
    [InlineData("/v1/one-of")]
    public async Task A_cancelled_job_whose_handler_ignores_the_cancellation_succeeds_with_its_whole_result(string path)
    {
        var begun = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using StorableApp app = await StorableApp.StartAsync(app =>
        {
            app.MapPost("/v1/list", (HttpContext context) => Numbers(context)).AllowJobs().RunOnPool();
            app.MapPost("/v1/bytes", Bytes).AllowJobs().RunOnPool();
            app.MapPost("/v1/one-of", Results<FileContentHttpResult, NotFound> (HttpContext context) => Bytes(context))
                .AllowJobs().RunOnPool(configure: static o => o.ExecuteResult = true);
            app.MapPost("/v1/executed", (HttpContext context) => Numbers(context)).AllowJobs().RunOnPool(configure: static o => o.ExecuteResult = true);
        });
        using var request = new HttpRequestMessage(HttpMethod.Post, path) { Headers = { { "Prefer", "respond-async" } } };
        using HttpResponseMessage accepted = await app.Client.SendAsync(request, ServiceApp.Token);
        var location = new Uri(accepted.RequestMessage!.RequestUri!, accepted.Headers.Location!);
        await begun.Task.Patiently();

        using HttpResponseMessage cancelled = await app.Client.DeleteAsync(location, ServiceApp.Token);

        Assert.Equal(202, (int)cancelled.StatusCode);
        using var waiting = new HttpRequestMessage(HttpMethod.Get, location) { Headers = { { "Prefer", "wait=60" } } };
        using HttpResponseMessage ended = await app.Client.SendAsync(waiting, ServiceApp.Token);
        Assert.Equal("succeeded", (string?)JsonNode.Parse(await ended.Content.ReadAsStringAsync(ServiceApp.Token))!["state"]);
        JsonNode result = JsonNode.Parse(await app.Client.GetStringAsync(new Uri($"{location}/result"), ServiceApp.Token))!;
        Assert.Equal(20_000, result.AsArray().Count);

        FileContentHttpResult Bytes(HttpContext context) => TypedResults.Bytes(System.Text.Encoding.UTF8.GetBytes($"[{string.Join(',', Numbers(context))}]"));

        List<int> Numbers(HttpContext context)
        {
            begun.TrySetResult();
            context.RequestAborted.WaitHandle.WaitOne(Patience.Long); // and continues
            return [.. Enumerable.Range(0, 20_000)];
        }
    }

    [Fact]
    public async Task An_attempt_that_exceeds_MaxRunTime_fails_and_is_retried_while_its_handler_still_runs()
    {
        using var release = new ManualResetEventSlim();
        using var returned = new CountdownEvent(2);
        using var disposed = new CountdownEvent(2);
        int disposedEarly = 0;
        await using StorableApp app = await StorableApp.StartAsync(app =>
        {
            app.MapPost("/v1/slow", string (OfScope service) =>
            {
                service.Disposed = () => disposed.Signal();
                Assert.True(release.Wait(Patience.Long));
                if (disposed.CurrentCount < 2) Interlocked.Increment(ref disposedEarly);
                returned.Signal();
                Assert.True(returned.Wait(Patience.Long)); // both handlers have checked
                return "late";
            }).AllowJobs().RunOnPool(configure: static o => o.MaxRunTime = TimeSpan.FromMilliseconds(50));
        }, services: static services => services.AddScoped<OfScope>());
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/slow");

        using HttpResponseMessage answer = await app.SendAsync(request, asJob: true);

        await ServiceApp.AssertProblem(answer, 504, "run-timeout");
        JsonNode job = await app.JobOfAsync(answer);
        Assert.Equal((2, "failed", "run-timeout"), ((int)job["attempt"]!, (string?)job["state"], (string?)job["error"]!["name"]));
        Assert.Equal(2, app.App.Services.GetRequiredService<FixedThreadPool>().GetSnapshot().Counts[WorkOutcome.TimedOut]);
        release.Set();
        Assert.True(disposed.Wait(Patience.Long, ServiceApp.Token));
        Assert.Equal(0, disposedEarly);
    }

    private sealed class OfScope : IDisposable
    {
        public Action? Disposed { get; set; }

        public void Dispose() => Disposed?.Invoke();
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task The_trace_id_of_a_job_that_failed_is_in_the_log(int attempts)
    {
        await using StorableApp app = await StorableApp.StartAsync(
            static app =>
            {
                app.MapPost("/v1/boom", string () => throw new InvalidOperationException("the secret")).AllowJobs().RunOnPool();
            },
            settings: ("Jobs:MaxAttempts", $"{attempts}"));
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/boom");

        using HttpResponseMessage answer = await app.SendAsync(request, asJob: true);

        JsonNode problem = await ServiceApp.AssertProblem(answer, 500, "work-failed");
        using HttpResponseMessage again = await app.Client.GetAsync(
            new Uri(answer.RequestMessage!.RequestUri!, answer.Content.Headers.ContentLocation!), ServiceApp.Token);
        Assert.Equal(problem.ToJsonString(), (await ServiceApp.AssertProblem(again, 500, "work-failed")).ToJsonString());
        string trace = (string)problem["traceId"]!;
        string line = Assert.Single(app.Log.Texts, line => line.Contains($"in attempt {attempts} of {attempts} (trace {trace})", StringComparison.Ordinal));
        Assert.Contains("the secret", line, StringComparison.Ordinal);
        Assert.DoesNotContain("secret", problem.ToJsonString(), StringComparison.Ordinal);
        Assert.Contains(trace, (string?)(await app.JobOfAsync(answer))["error"]!["detail"], StringComparison.Ordinal);
    }
}
