using System.Net;
using System.Reflection;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Routing.Patterns;
using Microsoft.Extensions.Primitives;

namespace PoolApi.Consumers.Tests;

/// <summary>Endpoints that an app builds in an unusual way: with copied metadata, by hand, in data sources of its own, as fallbacks and as error pages.</summary>
public sealed class EndpointFormTests
{
    private static Task<ConsumerApp> StartAsync(Action<WebApplication> map, Action<WebApplicationBuilder>? add = null) => ConsumerApp.StartAsync(
        b =>
        {
            b.Services.AddFixedThreadPool("io", static o => o.Workers = 1);
            add?.Invoke(b);
        },
        map);

    private static Endpoint[] EndpointsOf(IEndpointRouteBuilder app) => [.. app.DataSources.SelectMany(static d => d.Endpoints)];

    /// <summary>All metadata of an endpoint but its handler and its methods, which another endpoint cannot have.</summary>
    private static object[] Copyable(Endpoint endpoint) => [.. endpoint.Metadata.Where(static m => m is not (MethodInfo or HttpMethodMetadata))];

    [Fact]
    public async Task An_endpoint_with_the_attribute_alone_and_the_metadata_of_another_endpoint_runs_on_the_pool()
    {
        RequestDelegate plain = static context => context.Response.WriteAsync(Trail.Here);
        await using ConsumerApp app = await StartAsync(app =>
        {
            app.MapGet("/on", static () => Trail.Here).RunOnPool();
            app.MapGet("/off", static () => Trail.Here).RunOffPool();
            app.MapGet("/plain-off", plain).RunOffPool();
            Endpoint[] others = EndpointsOf(app);
            foreach (Endpoint other in others)
            {
                string name = other.DisplayName!.Split('/')[1];
                app.MapGet($"/with/{name}", [RunOnPool("io")] static () => Trail.Here).WithMetadata(Copyable(other));
                app.MapGet($"/add/{name}", [RunOnPool("io")] static () => Trail.Here).Add(endpoint =>
                {
                    foreach (object metadata in Copyable(other)) endpoint.Metadata.Add(metadata);
                });
                app.MapGet($"/finally/{name}", [RunOnPool("io")] static () => Trail.Here).Finally(endpoint =>
                {
                    foreach (object metadata in Copyable(other)) endpoint.Metadata.Add(metadata);
                });
                app.MapGet($"/plain/{name}", plain).WithMetadata([new RunOnPoolAttribute("io"), .. Copyable(other)]);
                app.MapGet($"/stays-off/{name}", [RunOnPool("io")] static () => Trail.Here).RunOffPool().WithMetadata(Copyable(other));
            }
        });
        foreach (string other in (string[])["on", "off", "plain-off"])
        {
            foreach (string way in (string[])["with", "add", "finally", "plain"]) Assert.Equal((way, other, "io"), (way, other, (await app.GetAsync($"/{way}/{other}")).Ok()));
            Assert.Equal((other, "server"), (other, (await app.GetAsync($"/stays-off/{other}")).Ok()));
        }
        Assert.Equal(12, app.Pool("io").GetSnapshot().Accepted);
    }

    [ApiController]
    [Route("actions")]
    public sealed class CopyController : ControllerBase
    {
        [HttpGet("marked")]
        [RunOnPool("io")]
        public string Marked() => Trail.Here;

        [HttpGet("plain")]
        public string Plain() => Trail.Here;
    }

    [Theory]
    [InlineData(true, "io", "cpu")]
    [InlineData(false, "io", "server")]
    public async Task An_action_with_the_metadata_of_another_endpoint_runs_where_it_runs_without_it(bool runOnPool, string marked, string plain)
    {
        await using ConsumerApp app = await StartAsync(
            app =>
            {
                app.MapGet("/other", static () => Trail.Here).RunOnPool("io");
                object[] all = Copyable(EndpointsOf(app).Single());
                foreach (bool isLate in (bool[])[false, true])
                {
                    ControllerActionEndpointConventionBuilder actions = app.MapGroup(isLate ? "/late" : "/early").MapControllers();
                    if (runOnPool) actions.RunOnPool();
                    if (isLate) actions.Finally(Copy);
                    else actions.Add(Copy);
                }

                void Copy(EndpointBuilder endpoint)
                {
                    foreach (object metadata in all) endpoint.Metadata.Add(metadata);
                }
            },
            static b => b.Services.AddControllers().Only(typeof(CopyController)));
        foreach (string when in (string[])["early", "late"])
        {
            Assert.Equal((when, marked), (when, (await app.GetAsync($"/{when}/actions/marked")).Ok()));
            Assert.Equal((when, plain), (when, (await app.GetAsync($"/{when}/actions/plain")).Ok()));
        }
    }

    [Fact]
    public async Task Fallbacks_short_circuits_and_error_pages_run_on_the_pool_by_RunOnPool_and_by_the_attribute_alone()
    {
        foreach (bool byAttribute in (bool[])[true, false])
        {
            await using ConsumerApp app = await StartAsync(app =>
            {
                app.UseExceptionHandler("/error");
                app.UseStatusCodePagesWithReExecute("/status/{0}");
                OnPool(app.MapMethods("/methods", ["GET", "PUT"], static () => Trail.Here));
                OnPool(app.MapGet("/short", static () => Trail.Here)).ShortCircuit();
                OnPool(app.MapGet("/short/plain", static context => context.Response.WriteAsync(Trail.Here))).ShortCircuit();
                OnPool(app.Map("/error", static () => Trail.Here));
                OnPool(app.Map("/status/{code:int}", static (int code) => $"{Trail.Here} {code}"));
                OnPool(app.MapGet("/throws", string () => throw new InvalidOperationException("thrown on purpose")));
                OnPool(app.MapGet("/refuses", static () => TypedResults.StatusCode(403)));
                app.MapGet("/off/throws", string () => throw new InvalidOperationException("thrown on purpose"));
                OnPool(app.MapFallback("/fallback/{**rest}", static () => Trail.Here));
                OnPool(app.MapGroup("/group").AddEndpointFilter(static (invocation, next) => next(invocation))).MapGet("/x", static () => Trail.Here);
            });
            foreach (var (path, status, body) in ((string, int, string)[])
                [
                    ("/methods", 200, "io"), ("/short", 200, "io"), ("/short/plain", 200, "io"), ("/throws", 500, "io"), ("/off/throws", 500, "io"),
                    ("/refuses", 403, "io 403"), ("/missing", 404, "io 404"), ("/fallback/a/b", 200, "io"), ("/group/x", 200, "io"),
                ])
            {
                Reply reply = await app.GetAsync(path);
                Assert.Equal((byAttribute, path, (HttpStatusCode)status, body), (byAttribute, path, reply.Status, reply.Body));
            }

            TBuilder OnPool<TBuilder>(TBuilder endpoint)
                where TBuilder : IEndpointConventionBuilder =>
                byAttribute ? endpoint.WithMetadata(new RunOnPoolAttribute("io")) : endpoint.RunOnPool("io");
        }
    }

    [Fact]
    public async Task Endpoints_of_a_data_source_of_the_app_run_on_the_pool_once_by_the_attribute_by_their_group_and_as_copies()
    {
        RequestDelegate handler = static context => context.Response.WriteAsync(Trail.Here);
        await using ConsumerApp app = await StartAsync(app =>
        {
            Add(app, new RouteEndpoint(handler, RoutePatternFactory.Parse("/by-hand"), 0, new EndpointMetadataCollection(new RunOnPoolAttribute("io")), "by hand"));
            Add(app.MapGroup("/group").RunOnPool("io"), new RouteEndpoint(handler, RoutePatternFactory.Parse("/plain"), 0, EndpointMetadataCollection.Empty, "in a group"));
            Add(app.MapGroup("/group-attribute").WithMetadata(new RunOnPoolAttribute("io")), new RouteEndpoint(handler, RoutePatternFactory.Parse("/plain"), 0, EndpointMetadataCollection.Empty, "in a group"));
            var inner = new Inner(((IEndpointRouteBuilder)app).ServiceProvider);
            inner.MapGet("/copy", [RunOnPool("io")] static () => Trail.Here).RunOnPool();
            inner.MapGet("/attribute", [RunOnPool("io")] static () => Trail.Here);
            inner.MapGet("/on", static () => Trail.Here).RunOnPool("io");
            foreach (RouteEndpoint endpoint in EndpointsOf(inner).Cast<RouteEndpoint>())
            {
                string? path = endpoint.RoutePattern.RawText;
                Add(app, Made("/copied", endpoint.RequestDelegate!, endpoint.DisplayName));
                Add(app, Made("/renamed", endpoint.RequestDelegate!, "another name"));
                Add(app, Made("/wrapped", context => endpoint.RequestDelegate!(context), endpoint.DisplayName));
                Add(app, Made("/wrapped-renamed", context => endpoint.RequestDelegate!(context), "another name"));
                Add(app.MapGroup("/in-group").RunOnPool("io"), endpoint);

                RouteEndpoint Made(string prefix, RequestDelegate run, string? name) =>
                    new(run, RoutePatternFactory.Parse(prefix + path), 0, endpoint.Metadata, name);
            }
        });
        string[] paths =
        [
            "/by-hand", "/group/plain", "/group-attribute/plain",
            .. from way in (string[])["/copied", "/renamed", "/wrapped", "/wrapped-renamed", "/in-group"] from form in (string[])["/copy", "/attribute", "/on"] select way + form,
        ];
        foreach (string path in paths) Assert.Equal((path, "io"), (path, (await app.GetAsync(path)).Ok()));
        Assert.Equal((paths.Length, 0), (app.Pool("io").GetSnapshot().Accepted, app.Pool().GetSnapshot().Accepted));

        static void Add(IEndpointRouteBuilder app, Endpoint endpoint) => app.DataSources.Add(new Source(endpoint));
    }

    [Fact]
    public async Task A_renamed_copy_of_an_endpoint_off_the_pool_stays_off_and_a_renamed_wrapper_of_an_action_enters_the_pool_once()
    {
        await using ConsumerApp app = await StartAsync(
            app =>
            {
                var inner = new Inner(((IEndpointRouteBuilder)app).ServiceProvider);
                inner.MapGet("/off", [RunOnPool("io")] static () => Trail.Here).RunOffPool();
                app.MapControllers().RunOnPool("io");
                foreach (Endpoint endpoint in (Endpoint[])[.. EndpointsOf(inner), .. EndpointsOf(app)])
                {
                    string name = endpoint.DisplayName!.Contains("Marked", StringComparison.Ordinal) ? "marked" : endpoint.DisplayName.Contains("Plain", StringComparison.Ordinal) ? "plain" : "off";
                    app.DataSources().Add(new Source(
                        new RouteEndpoint(endpoint.RequestDelegate!, RoutePatternFactory.Parse("/renamed/" + name), 0, endpoint.Metadata, "another name"),
                        new RouteEndpoint(context => endpoint.RequestDelegate!(context), RoutePatternFactory.Parse("/wrapped/" + name), 0, endpoint.Metadata, "another name")));
                }
            },
            static b => b.Services.AddControllers().Only(typeof(CopyController)));
        foreach (string way in (string[])["/renamed", "/wrapped"])
        {
            Assert.Equal((way, "server"), (way, (await app.GetAsync(way + "/off")).Ok()));
            Assert.Equal((way, "io"), (way, (await app.GetAsync(way + "/marked")).Ok()));
            Assert.Equal((way, "io"), (way, (await app.GetAsync(way + "/plain")).Ok()));
        }
        Assert.Equal(4, app.Pool("io").GetSnapshot().Accepted);
    }

    [Fact]
    public async Task An_endpoint_with_the_attribute_alone_and_the_metadata_of_its_namesake_off_the_pool_runs_on_the_pool()
    {
        await using ConsumerApp app = await StartAsync(static app =>
        {
            app.MapGet("/host", static () => Trail.Here).RequireHost("example.org").RunOffPool();
            object[] all = [.. Copyable(EndpointsOf(app).Single()).Where(static m => m is not IHostMetadata)];
            app.MapGet("/host", [RunOnPool("io")] static () => Trail.Here).WithMetadata(all);
            Assert.Equal(2, EndpointsOf(app).Count(e => e.DisplayName == EndpointsOf(app)[0].DisplayName));
        });
        Assert.Equal("io", (await app.GetAsync("/host")).Ok());
    }

    /// <summary>A convention may put its own delegate around the endpoint's.</summary>
    [Fact]
    public async Task An_endpoint_whose_delegate_a_convention_wraps_runs_on_the_pool()
    {
        await using ConsumerApp app = await StartAsync(static app =>
        {
            app.MapGet("/add-before", static (Trail trail) => trail.Add("handler")).AddWrap().RunOnPool("io");
            app.MapGet("/add-after", static (Trail trail) => trail.Add("handler")).RunOnPool("io").AddWrap();
            app.MapGet("/finally-before", static (Trail trail) => trail.Add("handler")).FinallyWrap().RunOnPool("io");
            app.MapGet("/finally-after", static (Trail trail) => trail.Add("handler")).RunOnPool("io").FinallyWrap();
            app.MapGet("/attribute", [RunOnPool("io")] static (Trail trail) => trail.Add("handler")).FinallyWrap();
        });
        foreach (var (path, wrapper) in ((string, string)[])
            [("/add-before", "server"), ("/add-after", "server"), ("/finally-before", "server"), ("/finally-after", "server"), ("/attribute", "io")])
        {
            (await app.GetAsync(path)).Ok();
            Assert.Equal([path, "wrapper: " + wrapper, "handler: io"], [path, .. app.Trail.Take()]);
        }
    }

    /// <summary>The limits that the README states, next to what RunOnPool does in the same place.</summary>
    [Fact]
    public async Task A_replaced_delegate_and_a_handler_with_the_attribute_alone_that_middleware_selects_stay_off_the_pool()
    {
        await using ConsumerApp app = await StartAsync(static app =>
        {
            app.UseRouting();
            app.Use((context, next) =>
            {
                if (context.Request.Path.StartsWithSegments("/set", out PathString rest)) context.SetEndpoint(Array.Find(EndpointsOf(app), e => e.DisplayName!.EndsWith(rest, StringComparison.Ordinal)));
                return next(context);
            });
            app.MapGet("/attribute", [RunOnPool("io")] static () => Trail.Here);
            app.MapGet("/on", static () => Trail.Here).RunOnPool("io");
            ((IEndpointConventionBuilder)app.MapGet("/replaced", static () => "not called").RunOnPool("io")).Finally(
                static endpoint => endpoint.RequestDelegate = static context => context.Response.WriteAsync(Trail.Here));
        });
        foreach (var (path, where) in ((string, string)[])
            [("/attribute", "io"), ("/on", "io"), ("/set/attribute", "server"), ("/set/on", "io"), ("/replaced", "server")])
        {
            Assert.Equal((path, where), (path, (await app.GetAsync(path)).Ok()));
        }
    }

    /// <summary>Routing does not select the endpoint, so it is not replaced by one that runs on the pool.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task An_action_with_the_attribute_that_endpoint_routing_did_not_select_fails_and_the_error_names_it(bool isSet)
    {
        Exception? fault = null;
        await using ConsumerApp app = await StartAsync(
            app =>
            {
                app.Use(async (context, next) =>
                {
                    try
                    {
                        await next(context);
                    }
                    catch (InvalidOperationException e)
                    {
                        fault = e;
                        context.Response.StatusCode = StatusCodes.Status500InternalServerError;
                    }
                });
                if (!isSet)
                {
                    app.UseMvc();
                    return;
                }
                app.UseRouting();
                app.Use((context, next) =>
                {
                    Endpoint[] all = EndpointsOf(app);
                    context.SetEndpoint(Array.Find(all, e => e.DisplayName!.Contains(context.Request.Path.Value!.Split('/')[^1], StringComparison.OrdinalIgnoreCase)));
                    return next(context);
                });
                app.MapControllers();
            },
            b => b.Services.AddMvc(o => o.EnableEndpointRouting = isSet).Only(typeof(CopyController)));
        Assert.Equal("server", (await app.GetAsync("/actions/plain")).Ok());
        Assert.Null(fault);
        Assert.Equal(HttpStatusCode.InternalServerError, (await app.GetAsync("/actions/marked")).Status);
        Assert.Contains("CopyController.Marked", fault!.Message, StringComparison.Ordinal);
        Assert.Contains("endpoint routing did not select it", fault.Message, StringComparison.Ordinal);
    }

    private sealed class Source(params Endpoint[] endpoints) : EndpointDataSource
    {
        public override IReadOnlyList<Endpoint> Endpoints => endpoints;

        public override IChangeToken GetChangeToken() => new CancellationChangeToken(CancellationToken.None);
    }

    /// <summary>Builds endpoints that are not in the app's own data sources.</summary>
    private sealed class Inner(IServiceProvider services) : IEndpointRouteBuilder
    {
        public IServiceProvider ServiceProvider => services;

        public ICollection<EndpointDataSource> DataSources { get; } = [];

        public IApplicationBuilder CreateApplicationBuilder() => new ApplicationBuilder(services);
    }
}

file static class Wrapping
{
    public static ICollection<EndpointDataSource> DataSources(this IEndpointRouteBuilder app) => app.DataSources;

    public static RouteHandlerBuilder AddWrap(this RouteHandlerBuilder endpoint)
    {
        ((IEndpointConventionBuilder)endpoint).Add(Wrap);
        return endpoint;
    }

    public static RouteHandlerBuilder FinallyWrap(this RouteHandlerBuilder endpoint)
    {
        ((IEndpointConventionBuilder)endpoint).Finally(Wrap);
        return endpoint;
    }

    private static void Wrap(EndpointBuilder endpoint)
    {
        RequestDelegate inner = endpoint.RequestDelegate!;
        endpoint.RequestDelegate = context =>
        {
            context.RequestServices.GetRequiredService<Trail>().Add("wrapper");
            return inner(context);
        };
    }
}
