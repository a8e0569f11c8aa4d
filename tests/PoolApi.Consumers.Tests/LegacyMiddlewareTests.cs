using System.Net;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.SignalR;

namespace PoolApi.Consumers.Tests;

/// <summary>The middleware of an old app blocks, so a whole branch of the pipeline runs on a pool.</summary>
public sealed class LegacyMiddlewareTests
{
    /// <summary>Reads the body, blocks, and writes the response itself, as such middleware does.</summary>
    private static async Task LegacyAsync(HttpContext context)
    {
        context.RequestServices.GetRequiredService<Trail>().Add("legacy");
        using var reader = new StreamReader(context.Request.Body);
        string body = await reader.ReadToEndAsync(ConsumerApp.Token);
        Thread.Sleep(1); // blocks its thread
        context.RequestServices.GetRequiredService<Trail>().Add("legacy again");
        context.Response.Headers["X-Legacy"] = "yes";
        await context.Response.WriteAsync($"{context.Request.PathBase}|{context.Request.Path}|{body}", ConsumerApp.Token);
    }

    [Fact]
    public async Task Everything_under_the_path_runs_on_the_pool_and_nothing_else_does()
    {
        await using ConsumerApp app = await ConsumerApp.StartAsync(null, static app =>
        {
            app.UseFixedThreadPool("/legacy");
            app.Map("/legacy", static legacy => legacy.Run(LegacyAsync));
            app.Map("/modern", static modern => modern.Run(LegacyAsync));
        });
        Reply reply = await app.PostAsync("/legacy/a", new StringContent("hello"));
        Assert.Equal("/legacy|/a|hello", reply.Ok());
        Assert.Contains("X-Legacy: yes", reply.Headers, StringComparison.Ordinal);
        Assert.True(reply.IsFromPool);
        Assert.Equal(["legacy: cpu", "legacy again: cpu"], app.Trail.Take());

        Assert.False((await app.PostAsync("/modern/a", new StringContent("hello"))).IsFromPool);
        Assert.Equal(["legacy: server", "legacy again: server"], app.Trail.Take());
        Assert.Equal(HttpStatusCode.NotFound, (await app.GetAsync("/legacyish")).Status);
        Assert.Equal(1, app.Pool().GetSnapshot().Accepted);
    }

    [Fact]
    public async Task UseFixedThreadPool_inside_a_branch_runs_only_that_branch_on_the_pool()
    {
        await using ConsumerApp app = await ConsumerApp.StartAsync(
            static b => b.Services.AddFixedThreadPool("io", static o => o.Workers = 1),
            static app =>
            {
                app.Map("/mapped", static branch => branch.UseFixedThreadPool("/", "io").Run(LegacyAsync));
                app.UseWhen(
                    static context => context.Request.Headers.ContainsKey("X-Slow"),
                    static branch => branch.UseFixedThreadPool("/", "io"));
                app.Run(LegacyAsync);
            });
        Assert.Equal("/mapped|/x|", (await app.GetAsync("/mapped/x")).Ok());
        Assert.Equal(["legacy: io", "legacy again: io"], app.Trail.Take());
        (await app.GetAsync("/", ("X-Slow", "1"))).Ok();
        Assert.Equal(["legacy: io", "legacy again: io"], app.Trail.Take());
        (await app.GetAsync("/")).Ok();
        Assert.Equal(["legacy: server", "legacy again: server"], app.Trail.Take());
    }

    [Fact]
    public async Task The_body_limit_of_the_branch_is_enforced_before_its_middleware_runs()
    {
        await using ConsumerApp app = await ConsumerApp.StartAsync(null, static app =>
        {
            app.UseFixedThreadPool("/legacy", configure: static o => (o.MaxBodyBytes, o.Kind) = (1000, "old"));
            app.Run(LegacyAsync);
        });
        Reply refused = await app.PostAsync("/legacy", new ByteArrayContent(new byte[1001]));
        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, refused.Status);
        Assert.Contains("urn:poolapi:problem:payload-too-large", refused.Body, StringComparison.Ordinal);
        Assert.Empty(app.Trail.Take());
        (await app.PostAsync("/legacy", new ByteArrayContent(new byte[1000]))).Ok();
    }

    [Fact]
    public async Task An_endpoint_on_a_pool_under_the_path_enters_only_the_pool_of_the_branch()
    {
        await using ConsumerApp app = await ConsumerApp.StartAsync(
            static b => b.Services.AddFixedThreadPool("io", static o => o.Workers = 1),
            static app =>
            {
                app.UseFixedThreadPool("/legacy", "io");
                app.MapGet("/legacy/handler", static () => Trail.Here).RunOnPool("cpu");
                app.MapGet("/legacy/delegate", static context => context.Response.WriteAsync(Trail.Here, ConsumerApp.Token)).RunOnPool("io");
                app.MapGet("/handler", static () => Trail.Here).RunOnPool("cpu");
            });
        Assert.Equal("io", (await app.GetAsync("/legacy/handler")).Ok());
        Assert.Equal("io", (await app.GetAsync("/legacy/delegate")).Ok());
        Assert.Equal("cpu", (await app.GetAsync("/handler")).Ok());
        Assert.Equal((2, 1), (app.Pool("io").GetSnapshot().Accepted, app.Pool().GetSnapshot().Accepted));
    }

    [Fact]
    public async Task An_exception_of_the_middleware_reaches_the_apps_exception_handler()
    {
        await using ConsumerApp app = await ConsumerApp.StartAsync(null, static app =>
        {
            app.UseExceptionHandler(static errors => errors.Run(static context =>
            {
                context.RequestServices.GetRequiredService<Trail>().Add("error");
                return context.Response.WriteAsync("sorry", ConsumerApp.Token);
            }));
            app.UseFixedThreadPool("/");
            app.Run(static _ => throw new InvalidOperationException("thrown on purpose"));
        });
        Reply reply = await app.GetAsync("/any");
        Assert.Equal((HttpStatusCode.InternalServerError, "sorry"), (reply.Status, reply.Body));
        Assert.Equal(["error: server"], app.Trail.Take());
        Assert.Equal(1, app.Pool().GetSnapshot().Counts[WorkOutcome.Failed]);
    }

    [Fact]
    public async Task A_response_that_is_read_into_memory_is_the_same_as_without_the_pool()
    {
        await using ConsumerApp app = await ConsumerApp.StartAsync(null, static app =>
        {
            app.UseFixedThreadPool("/on", configure: static o => o.ExecuteResult = true);
            app.Run(static async context =>
            {
                context.Response.ContentType = "text/plain";
                context.Response.StatusCode = 203;
                await context.Response.WriteAsync(new string('x', 200_000), ConsumerApp.Token);
                await context.Response.Body.FlushAsync(ConsumerApp.Token);
            });
        });
        Reply off = await app.GetAsync("/off"), on = await app.GetAsync("/on");
        Assert.Equal((off.Status, off.ContentType, off.Body), (on.Status, on.ContentType, on.Body));
        Assert.True(on.IsFromPool);
    }

    /// <summary>Routing finds the endpoint and its limit inside the branch, when the body is already in memory.</summary>
    [Theory]
    [InlineData("handler")]
    [InlineData("delegate")]
    [InlineData("action")]
    public async Task A_limit_of_an_endpoint_that_routing_finds_inside_the_branch_holds_as_it_does_without_the_pool(string endpoint)
    {
        await using ConsumerApp app = await ConsumerApp.StartAsync(
            static b => b.Services.AddControllers().Only(typeof(NotesController)),
            static app =>
            {
                app.UseFixedThreadPool("/on");
                app.UseRouting();
                foreach (string branch in (string[])["/on", "/off"])
                {
                    app.MapPost(branch + "/handler", static (Note note) => $"{note.Text.Length}").WithMetadata(new RequestSizeLimitAttribute(1000));
                    app.MapPost(branch + "/delegate", static async context =>
                    {
                        Note note = (await context.Request.ReadFromJsonAsync<Note>(ConsumerApp.Token))!;
                        await context.Response.WriteAsync($"{note.Text.Length}", ConsumerApp.Token);
                    }).WithMetadata(new RequestSizeLimitAttribute(1000));
                }
                app.MapControllers();
            },
            kestrel: true);
        foreach (string branch in (string[])["/off", "/on"])
        {
            Assert.Equal("900", (await PostAsync(branch, 900, chunked: false)).Ok());
            Assert.Equal("900", (await PostAsync(branch, 900, chunked: true)).Ok());
            foreach (bool chunked in (bool[])[false, true])
                Assert.Equal((branch, HttpStatusCode.RequestEntityTooLarge), (branch, (await PostAsync(branch, 5000, chunked)).Status));
        }
        Assert.Equal(4, app.Pool().GetSnapshot().Accepted);

        async Task<Reply> PostAsync(string branch, int length, bool chunked)
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, new Uri($"{branch}/{endpoint}", UriKind.Relative))
            {
                Content = new StringContent($$"""{"text":"{{new string('x', length)}}"}""", null, "application/json"),
            };
            request.Headers.TransferEncodingChunked = chunked;
            using HttpResponseMessage response = await app.Client.SendAsync(request, ConsumerApp.Token);
            return await Reply.ReadAsync(response);
        }
    }

    /// <summary>The limit that the middleware sets last applies: none at all, or five bytes.</summary>
    [Fact]
    public async Task Middleware_of_the_branch_may_change_the_limit_until_the_body_is_read()
    {
        await using ConsumerApp app = await ConsumerApp.StartAsync(null, static app =>
        {
            app.UseFixedThreadPool("/legacy");
            app.Use(static (context, next) =>
            {
                var size = context.Features.Get<Microsoft.AspNetCore.Http.Features.IHttpMaxRequestBodySizeFeature>()!;
                Assert.Equal((false, (long?)30_000_000), (size.IsReadOnly, size.MaxRequestBodySize));
                size.MaxRequestBodySize = 4;
                size.MaxRequestBodySize = context.Request.Query.ContainsKey("lifted") ? null : 5;
                return next(context);
            });
            app.Run(LegacyAsync);
        }, kestrel: true);
        Assert.Equal("|/legacy|hello you", (await app.PostAsync("/legacy?lifted", new StringContent("hello you"))).Ok());
        Assert.Equal("|/legacy|hello", (await app.PostAsync("/legacy", new StringContent("hello"))).Ok());
        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, (await app.PostAsync("/legacy", new StringContent("hello you"))).Status);
    }

    public sealed record Note(string Text);

    [ApiController]
    public sealed class NotesController : ControllerBase
    {
        [HttpPost("/on/action")]
        [HttpPost("/off/action")]
        [RequestSizeLimit(1000)]
        public string Length(Note note) => $"{note.Text.Length}";
    }

    private sealed class Chat : Hub;

    [Fact]
    public async Task A_hub_under_the_path_stays_off_the_pool_and_is_logged_once()
    {
        using var log = new CapturingLog();
        await using ConsumerApp app = await ConsumerApp.StartAsync(
            b =>
            {
                b.Logging.AddProvider(log);
                b.Services.AddSignalR();
            },
            static app =>
            {
                app.UseFixedThreadPool("/live");
                app.MapHub<Chat>("/live/chat");
                app.MapGet("/live/where", static () => Trail.Here);
            });
        for (int i = 0; i < 2; i++)
        {
            Reply negotiated = await app.PostAsync("/live/chat/negotiate?negotiateVersion=1", new ByteArrayContent([]));
            Assert.Contains("connectionToken", negotiated.Ok(), StringComparison.Ordinal);
            Assert.False(negotiated.IsFromPool);
        }
        Assert.Equal("cpu", (await app.GetAsync("/live/where")).Ok());
        Assert.Equal(1, app.Pool().GetSnapshot().Accepted);
        string line = Assert.Single(log.With("The endpoint '/live/chat/negotiate"));
        Assert.EndsWith(
            " stays off the pool of UseFixedThreadPool('/live'), because it is a connection. Call pool.RunAsync in its methods; logged once for each endpoint",
            line,
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_hub_that_routing_finds_inside_the_branch_fails_and_the_error_states_the_fix()
    {
        await using ConsumerApp app = await ConsumerApp.StartAsync(static b => b.Services.AddSignalR(), static app =>
        {
            app.UseFixedThreadPool("/");
            app.UseRouting();
            app.MapHub<Chat>("/chat");
            app.MapGet("/where", static () => Trail.Here);
        });
        InvalidOperationException fault = await Assert.ThrowsAsync<InvalidOperationException>(() => app.GetAsync("/chat?id=x"));
        Assert.StartsWith("The endpoint '/chat", fault.Message, StringComparison.Ordinal);
        Assert.Contains("cannot run on a pool", fault.Message, StringComparison.Ordinal);
        Assert.EndsWith("put UseRouting before UseFixedThreadPool, where the endpoint stays off the pool.", fault.Message, StringComparison.Ordinal);
        Assert.Equal("cpu", (await app.GetAsync("/where")).Ok());
    }

    [Fact]
    public async Task A_missing_or_unknown_pool_an_invalid_path_or_an_out_of_range_option_fails_the_start()
    {
        InvalidOperationException unknown = await Assert.ThrowsAsync<InvalidOperationException>(static () => ConsumerApp.StartAsync(
            null, static app => app.UseFixedThreadPool("/legacy", "gpu")));
        Assert.Contains("runs on the pool 'gpu', which does not exist", unknown.Message, StringComparison.Ordinal);
        InvalidOperationException none = await Assert.ThrowsAsync<InvalidOperationException>(static () => ConsumerApp.StartAsync(
            null, static app => app.UseFixedThreadPool("/legacy"), pool: false));
        Assert.Equal(
            "The endpoint 'UseFixedThreadPool(\"/legacy\")' runs on a pool, and there is none: call services.AddFixedThreadPool(). The pools are: none.",
            none.Message);
        ArgumentException path = await Assert.ThrowsAsync<ArgumentException>(static () => ConsumerApp.StartAsync(
            null, static app => app.UseFixedThreadPool("io")));
        Assert.Contains("must start with a slash", path.Message, StringComparison.Ordinal);
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(static () => ConsumerApp.StartAsync(
            null, static app => app.UseFixedThreadPool("/legacy", configure: static o => o.MaxBodyBytes = 0)));
    }
}
