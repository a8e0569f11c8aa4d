using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.SignalR;
using PoolApi.AspNetCore.Endpoints;

namespace PoolApi.Consumers.Tests;

/// <summary>The limits of an app hold on the pool, and an endpoint that cannot run on a pool fails the start with an error that states the fix.</summary>
public sealed class LimitTests
{
    private static Task<ConsumerApp> StartAsync() => ConsumerApp.StartAsync(
        static b =>
        {
            b.WebHost.ConfigureKestrel(static o => o.Limits.MaxRequestBodySize = 3000);
            b.Services.Configure<FormOptions>(static o =>
                (o.MultipartBodyLengthLimit, o.ValueCountLimit, o.KeyLengthLimit, o.ValueLengthLimit) = (2000, 3, 10, 20));
        },
        static app =>
        {
            app.Use(static (context, next) =>
            {
                if (context.Request.Query["limit"] is [{ } limit])
                    context.Features.GetRequiredFeature<IHttpMaxRequestBodySizeFeature>().MaxRequestBodySize = limit == "none" ? null : long.Parse(limit, CultureInfo.InvariantCulture);
                return next(context);
            });
            Map(app.MapGroup("/off"));
            Map(app.MapGroup("/on").RunOnPool());
            Map(app.MapGroup("/small").RunOnPool(configure: static o => o.MaxBodyBytes = 500));
        },
        kestrel: true);

    private static void Map(RouteGroupBuilder group)
    {
        group.MapPost("/server", static Task<long> (Stream body) => LengthAsync(body));
        group.MapPost("/lowered", static Task<long> (Stream body) => LengthAsync(body)).WithMetadata(new RequestSizeLimitAttribute(1000));
        group.MapPost("/lifted", static Task<long> (Stream body) => LengthAsync(body)).WithMetadata(new DisableRequestSizeLimitAttribute());
        group.MapPost("/fields", static ([FromForm] IFormCollection form) => $"{form.Count}").DisableAntiforgery();
        group.MapPost("/form", static (IFormFile file) => file.Length).DisableAntiforgery();
    }

    private static async Task<long> LengthAsync(Stream body)
    {
        using var copy = new MemoryStream();
        await body.CopyToAsync(copy, ConsumerApp.Token);
        return copy.Length;
    }

    [Theory]
    [InlineData("server", 3000)]
    [InlineData("lowered", 1000)]
    public async Task A_body_limit_of_the_server_or_endpoint_is_the_same_on_the_pool_as_off_it(string path, int limit)
    {
        await using ConsumerApp app = await StartAsync();
        foreach (string group in (string[])["off", "on"])
        {
            foreach (bool chunked in (bool[])[false, true])
            {
                int accepted = chunked ? limit - 100 : limit; // the server counts the sizes of the chunks too
                Assert.Equal($"{accepted}", (await PostAsync(app, $"/{group}/{path}", accepted, chunked)).Ok());
                Reply refused = await PostAsync(app, $"/{group}/{path}", limit + 1, chunked);
                Assert.Equal(HttpStatusCode.RequestEntityTooLarge, refused.Status);
            }
        }
    }

    [Fact]
    public async Task A_lifted_body_limit_is_lifted_on_the_pool_up_to_MaxBodyBytes()
    {
        await using ConsumerApp app = await StartAsync();
        foreach (bool chunked in (bool[])[false, true])
        {
            Assert.Equal("5000", (await PostAsync(app, "/off/lifted", 5000, chunked)).Ok());
            Assert.Equal("5000", (await PostAsync(app, "/on/lifted", 5000, chunked)).Ok());
            Assert.Equal("500", (await PostAsync(app, "/small/lifted", 500, chunked)).Ok());
            Assert.Equal(HttpStatusCode.RequestEntityTooLarge, (await PostAsync(app, "/small/lifted", 501, chunked)).Status);
        }
    }

    [Fact]
    public async Task The_limits_of_forms_hold()
    {
        await using ConsumerApp app = await StartAsync();
        foreach (string group in (string[])["off", "on"])
        {
            using var good = new MultipartFormDataContent { { new ByteArrayContent(new byte[1900]), "file", "a.bin" } };
            Assert.Equal("1900", (await app.PostAsync($"/{group}/form", good)).Ok());
            using var large = new MultipartFormDataContent { { new ByteArrayContent(new byte[2100]), "file", "a.bin" } };
            Assert.Equal(HttpStatusCode.BadRequest, (await app.PostAsync($"/{group}/form", large)).Status);
        }
    }

    [Theory]
    [InlineData("a=1&b=2&c=3", true)]
    [InlineData("a=1&b=2&c=3&d=4", false)] // ValueCountLimit
    [InlineData("k123456789=1", true)]
    [InlineData("k1234567890=1", false)] // KeyLengthLimit
    [InlineData("a=12345678901234567890", true)]
    [InlineData("a=123456789012345678901", false)] // ValueLengthLimit
    public async Task The_limits_of_a_forms_fields_are_the_same_on_the_pool_as_off_it(string form, bool isAccepted)
    {
        await using ConsumerApp app = await StartAsync();
        Reply off = await PostAsync("/off/fields"), on = await PostAsync("/on/fields");
        Assert.Equal(isAccepted ? HttpStatusCode.OK : HttpStatusCode.BadRequest, off.Status);
        Reply.AssertSame(off, on);

        async Task<Reply> PostAsync(string path)
        {
            using var content = new StringContent(form, new MediaTypeHeaderValue("application/x-www-form-urlencoded"));
            return await app.PostAsync(path, content);
        }
    }

    /// <summary>The server's limit is 3000 bytes.</summary>
    [Theory]
    [InlineData("none", 5000, true)]
    [InlineData("4000", 4000, true)]
    [InlineData("4000", 4001, false)]
    [InlineData("1000", 1000, true)]
    [InlineData("1000", 1001, false)]
    public async Task A_body_limit_that_middleware_sets_before_the_endpoint_is_the_same_on_the_pool_as_off_it(string limit, int bytes, bool isAccepted)
    {
        await using ConsumerApp app = await StartAsync();
        foreach (string group in (string[])["off", "on"])
        {
            Reply reply = await PostAsync(app, $"/{group}/server?limit={limit}", bytes, chunked: false);
            Assert.Equal((group, isAccepted ? HttpStatusCode.OK : HttpStatusCode.RequestEntityTooLarge), (group, reply.Status));
        }
    }

    private static async Task<Reply> PostAsync(ConsumerApp app, string path, int bytes, bool chunked)
    {
        using var content = new ByteArrayContent(new byte[bytes]);
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(path, UriKind.Relative)) { Content = content };
        request.Headers.TransferEncodingChunked = chunked;
        using HttpResponseMessage response = await app.Client.SendAsync(request, ConsumerApp.Token);
        return await Reply.ReadAsync(response);
    }

    private sealed class Chat : Hub;

    [Fact]
    public async Task A_hub_in_a_group_on_a_pool_fails_the_start_and_the_error_states_the_fix()
    {
        InvalidOperationException fault = await Assert.ThrowsAsync<InvalidOperationException>(static () => ConsumerApp.StartAsync(
            static b => b.Services.AddSignalR(), static app => app.MapGroup("/all").RunOnPool().MapHub<Chat>("/chat")));
        Assert.Contains("/all/chat", fault.Message, StringComparison.Ordinal);
        Assert.Contains("call pool.RunAsync(…) in the hub's method", fault.Message, StringComparison.Ordinal);
    }

    [RunOnPool]
    private sealed class MarkedChat : Hub;

    [Fact]
    public async Task A_hub_whose_class_has_the_attribute_fails_the_start_and_the_error_states_the_fix()
    {
        InvalidOperationException fault = await Assert.ThrowsAsync<InvalidOperationException>(static () => ConsumerApp.StartAsync(
            static b => b.Services.AddSignalR(), static app => app.MapHub<MarkedChat>("/chat")));
        Assert.Contains("'/chat", fault.Message, StringComparison.Ordinal);
        Assert.Contains("call pool.RunAsync(…) in the", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Only_RunOnPool_can_add_effective_RunOnPoolMetadata_to_an_endpoint()
    {
        Assert.Empty(typeof(RunOnPoolMetadata).GetConstructors());
        await using ConsumerApp app = await ConsumerApp.StartAsync(static b => b.Services.AddFixedThreadPool("io", static o => o.Workers = 1), static app =>
        {
            app.MapGet("/other", static () => Trail.Here).RunOnPool("io");
            RunOnPoolMetadata others = ((IEndpointRouteBuilder)app).DataSources.Single().Endpoints[0].Metadata.GetRequiredMetadata<RunOnPoolMetadata>();
            // Neither metadata of the app's own nor the metadata of another endpoint has an effect.
            app.MapGet("/", static () => Trail.Here).WithMetadata(others, "words").RunOnPool();
            object[] all = [.. ((IEndpointRouteBuilder)app).DataSources.Single().Endpoints[0].Metadata.Where(static m => m is not (System.Reflection.MethodInfo or HttpMethodMetadata))];
            app.MapGet("/before", static () => Trail.Here).WithMetadata(all).RunOnPool();
            app.MapGet("/after", static () => Trail.Here).RunOnPool().WithMetadata(all);
            app.MapGet("/neither", static () => Trail.Here).WithMetadata(all);
        });
        Assert.Equal("io", (await app.GetAsync("/other")).Ok());
        Assert.Equal("cpu", (await app.GetAsync("/")).Ok());
        Assert.Equal("cpu", (await app.GetAsync("/before")).Ok());
        Assert.Equal("cpu", (await app.GetAsync("/after")).Ok());
        Assert.Equal("server", (await app.GetAsync("/neither")).Ok());
        RunOnPoolMetadata metadata = app.Services.GetRequiredService<EndpointDataSource>().Endpoints[1].Metadata.GetRequiredMetadata<RunOnPoolMetadata>();
        Assert.Null(metadata.Pool);
    }
}
