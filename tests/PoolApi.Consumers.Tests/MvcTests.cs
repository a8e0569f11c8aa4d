using System.Net;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Mvc.Filters;

namespace PoolApi.Consumers.Tests;

/// <summary>MVC with views, filters of every kind, forms and a conventional route.</summary>
public sealed class MvcTests
{
    private static Task<ConsumerApp> StartAsync(Action<ControllerActionEndpointConventionBuilder>? routes = null) => ConsumerApp.StartAsync(
        static b =>
        {
            b.Services.AddFixedThreadPool("io", static o => o.Workers = 2);
            b.Services.AddControllersWithViews().Only(typeof(ShopController), typeof(PlainController));
        },
        app =>
        {
            ControllerActionEndpointConventionBuilder builder = app.MapControllerRoute("default", "{controller}/{action}/{id?}");
            routes?.Invoke(builder);
        });

    [Fact]
    public async Task Only_the_action_runs_on_the_pool_and_filters_and_the_view_do_not()
    {
        await using ConsumerApp app = await StartAsync();
        Assert.Contains("<ul><li>pear</li><li>fig</li></ul>", (await app.GetAsync("/shop/list")).Ok(), StringComparison.Ordinal);
        Assert.Equal(
            [
                "authorization filter: server", "resource filter: server", "action filter: server", "action: io", "action filter again: server",
                "result filter: server", "view: server",
            ],
            app.Trail.Take());
    }

    /// <summary>As documented: a view reads its model while it is written, and thus off the pool unless the endpoint sets ExecuteResult.</summary>
    [Fact]
    public async Task A_lazy_model_is_read_by_the_view_and_so_off_the_pool()
    {
        await using ConsumerApp app = await StartAsync();
        Assert.Contains("<li>lazy</li>", (await app.GetAsync("/shop/lazy")).Ok(), StringComparison.Ordinal);
        Assert.Equal(["view: server", "item: server"], app.Trail.Take().TakeLast(2));
    }

    [Fact]
    public async Task A_view_is_executed_on_the_pool_where_the_action_sets_ExecuteResult()
    {
        await using ConsumerApp app = await StartAsync();
        Reply whole = await app.GetAsync("/shop/whole");
        Assert.Contains("<li>lazy</li>", whole.Ok(), StringComparison.Ordinal);
        Assert.True(whole.IsFromPool);
        Assert.Equal(["view: io", "item: io"], app.Trail.Take().TakeLast(2));
        Assert.Equal(1, app.Pool("io").GetSnapshot().Accepted);
    }

    [Fact]
    public async Task A_view_is_executed_on_the_pool_where_the_routes_set_ExecuteResult()
    {
        await using ConsumerApp app = await StartAsync(static routes => routes.RunOnPool(configure: static o => o.ExecuteResult = true));
        Assert.Contains("<li>lazy</li>", (await app.GetAsync("/plain/lazy")).Ok(), StringComparison.Ordinal);
        Assert.Equal(["view: cpu", "item: cpu"], app.Trail.Take());
    }

    [Fact]
    public async Task An_attribute_overrides_the_pool_of_the_routes_and_the_request_is_submitted_once()
    {
        await using ConsumerApp app = await StartAsync(static routes => routes.RunOnPool("cpu"));
        Reply reply = await app.GetAsync("/shop/where");
        Assert.Equal("io", reply.Ok());
        Assert.Equal("cpu", (await app.GetAsync("/plain/where")).Ok());
        Assert.Equal((1, 1), (app.Pool("io").GetSnapshot().Accepted, app.Pool().GetSnapshot().Accepted));
    }

    [Fact]
    public async Task An_exception_filter_handles_an_exception_that_the_action_throws_on_the_pool()
    {
        await using ConsumerApp app = await StartAsync();
        Reply reply = await app.GetAsync("/shop/throws");
        Assert.Equal((HttpStatusCode)418, reply.Status);
        Assert.Equal(["throws: io", "action filter again: server", "exception filter: server"], app.Trail.Take().TakeLast(3));
        Assert.Equal(1, app.Pool("io").GetSnapshot().Counts[WorkOutcome.Failed]);
    }

    /// <summary>An error page receives the context of the request that failed on the pool, which still has the features of that request.</summary>
    [Fact]
    public async Task An_error_page_off_the_pool_stays_off_it()
    {
        await using ConsumerApp app = await ConsumerApp.StartAsync(
            static b => b.Services.AddControllersWithViews().Only(typeof(FailingController)),
            static app =>
            {
                app.UseExceptionHandler("/error");
                app.MapControllerRoute("fails", "fails", new { controller = "Failing", action = "Fail" });
                app.MapControllerRoute("error", "error", new { controller = "Failing", action = "Where" }).RunOffPool();
            });
        Reply reply = await app.GetAsync("/fails");
        Assert.Equal((HttpStatusCode.InternalServerError, "server"), (reply.Status, reply.Body));
        Assert.Equal((1, 1), (app.Pool().GetSnapshot().Accepted, app.Pool().GetSnapshot().Counts[WorkOutcome.Failed]));
    }

    [RunOnPool("cpu")]
    public sealed class FailingController : Controller
    {
        public string Fail() => throw new InvalidOperationException("thrown on purpose");

        public string Where() => Trail.Here;
    }

    [Fact]
    public async Task A_form_with_a_valid_antiforgery_token_is_accepted_and_one_with_a_wrong_token_is_refused()
    {
        await using ConsumerApp app = await StartAsync();
        using HttpResponseMessage page = await app.Client.GetAsync(new Uri("/shop/form", UriKind.Relative), ConsumerApp.Token);
        string token = Regex.Match(await page.Content.ReadAsStringAsync(ConsumerApp.Token), "value=\"([^\"]+)\"").Groups[1].Value;
        string cookie = page.Headers.GetValues("Set-Cookie").Single().Split(';')[0];
        app.Trail.Take();

        Reply sent = await app.SendAsync(HttpMethod.Post, "/shop/send", Form(token), ("Cookie", cookie));
        Assert.Equal("hello", sent.Ok());
        Assert.Contains("sent: io", app.Trail.Take());
        Reply refused = await app.SendAsync(HttpMethod.Post, "/shop/send", Form("wrong"), ("Cookie", cookie));
        Assert.Equal(HttpStatusCode.BadRequest, refused.Status);
        Assert.DoesNotContain("sent: io", app.Trail.Take());

        static FormUrlEncodedContent Form(string token) => new([new("__RequestVerificationToken", token), new("text", "hello")]);
    }

    /// <summary>The antiforgery filter reads the form before any other filter could check its length.</summary>
    [Fact]
    public async Task A_form_over_the_body_limit_is_refused_before_any_filter_runs()
    {
        await using ConsumerApp app = await StartAsync();
        using var content = new FormUrlEncodedContent([new("text", new string('x', 2000))]);
        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, (await app.PostAsync("/shop/send", content)).Status);
        Assert.Empty(app.Trail.Take());
    }

    [Fact]
    public async Task Work_on_a_conventional_route_is_named_after_its_action()
    {
        await using ConsumerApp app = await StartAsync(static routes => routes.RunOnPool("cpu"));
        string[] kinds = [.. app.Services.GetRequiredService<EndpointDataSource>().Endpoints
            .Select(static e => e.Metadata.GetMetadata<AspNetCore.Endpoints.RunOnPoolMetadata>()?.Kind).OfType<string>()];
        Assert.Contains("shop/list", kinds);
        Assert.Contains("plain/where", kinds);
    }

    [Theory]
    [InlineData("/plain/shown", "Plain/Shown/{id?}", "plain/shown")]
    [InlineData("/Plain/Shown/3", "Plain/Shown/{id?}", "plain/shown")]
    [InlineData("/back/plain/shown", "Back/Plain/Shown/{id:regex(^a{{0,2}}$)?}", "back/plain/shown")]
    [InlineData("/fixed", "fixed", "plain/shown")]
    public async Task A_worker_shows_the_route_of_the_action_on_a_conventional_route(string path, string route, string kind)
    {
        await using ConsumerApp app = await ConsumerApp.StartAsync(
            static b => b.Services.AddControllersWithViews().Only(typeof(PlainController), typeof(Back.PlainController)),
            static app =>
            {
                app.MapControllerRoute("fixed", "fixed", new { controller = "Plain", action = "Shown" }).RunOnPool();
                app.MapControllerRoute("areas", "{area:exists}/{controller=Plain}/{action=Shown}/{id:regex(^a{{0,2}}$)?}").RunOnPool();
                app.MapControllerRoute("default", "{controller=Plain}/{action=Shown}/{id?}").RunOnPool();
            });
        Assert.Equal($"{route} {kind}", (await app.GetAsync(path)).Ok());
    }

    [Theory]
    [InlineData("/marked/shown/3", "Marked/Shown/{id?}")]
    [InlineData("/fixed", "fixed")]
    public async Task A_worker_shows_the_action_on_a_conventional_route_where_only_the_attribute_puts_it_on_a_pool(string path, string route)
    {
        await using ConsumerApp app = await ConsumerApp.StartAsync(
            static b =>
            {
                b.Services.AddFixedThreadPool("io", static o => o.Workers = 1);
                b.Services.AddControllersWithViews().Only(typeof(MarkedController));
            },
            static app =>
            {
                app.MapControllerRoute("fixed", "fixed", new { controller = "Marked", action = "Shown" });
                app.MapControllerRoute("default", "{controller=Plain}/{action=Where}/{id?}");
            });
        Assert.Equal($"{route} marked/shown", (await app.GetAsync(path)).Ok());
    }

    [Theory]
    [InlineData(false)] // by the attribute
    [InlineData(true)] // by the route
    public async Task A_synchronous_action_has_no_synchronization_context_and_an_asynchronous_one_has(bool isByRoute)
    {
        await using ConsumerApp app = await StartAsync(routes =>
        {
            if (isByRoute) routes.RunOnPool("cpu");
        });
        string controller = isByRoute ? "plain" : "shop";
        Assert.Equal("True True", (await app.GetAsync($"/{controller}/context")).Ok());
        Assert.Equal("False True", (await app.GetAsync($"/{controller}/latercontext")).Ok());
    }

    private static string Context() => $"{SynchronizationContext.Current is null} {FixedThreadPool.Current is not null}";

    private static async Task<string> LaterContextAsync()
    {
        await Task.Yield();
        return Context();
    }

    /// <summary>MVC keeps one endpoint filter for an action, whatever the number of its routes.</summary>
    [Fact]
    public async Task The_requested_route_decides_the_pool_of_an_action_with_several_routes()
    {
        await using ConsumerApp app = await ConsumerApp.StartAsync(
            static b =>
            {
                b.Services.AddFixedThreadPool("io", static o => o.Workers = 1);
                b.Services.AddControllersWithViews().Only(typeof(PlainController));
            },
            static app =>
            {
                var where = new { controller = "Plain", action = "Where" };
                app.MapControllerRoute("cpu", "cpu", where).RunOnPool("cpu");
                app.MapControllerRoute("off", "off", where).RunOnPool("cpu").RunOffPool();
                app.MapControllerRoute("io", "io", where).RunOnPool("io");
                app.MapControllerRoute("never", "never", where);
                app.MapControllerRoute("last", "last", where).RunOnPool("cpu").RunOffPool();
            });
        foreach (var (path, pool) in ((string, string)[])
            [("/cpu", "cpu"), ("/off", "server"), ("/io", "io"), ("/never", "server"), ("/last", "server"), ("/cpu", "cpu")])
        {
            Assert.Equal((path, pool), (path, (await app.GetAsync(path)).Ok()));
        }
    }

    [Fact]
    public async Task An_action_with_the_attribute_runs_on_its_pool_whether_or_not_the_route_names_another()
    {
        await using ConsumerApp app = await ConsumerApp.StartAsync(
            static b =>
            {
                b.Services.AddFixedThreadPool("io", static o => o.Workers = 1);
                b.Services.AddControllersWithViews().Only(typeof(MarkedController));
            },
            static app =>
            {
                var where = new { controller = "Marked", action = "Where" };
                app.MapControllerRoute("named", "named", where).RunOnPool("cpu");
                app.MapControllerRoute("plain", "plain", where);
            });
        Assert.Equal("io", (await app.GetAsync("/plain")).Ok());
        Assert.Equal("io", (await app.GetAsync("/named")).Ok()); // the attribute takes precedence over the route
    }

    private static string Shown()
    {
        WorkerSnapshot here = FixedThreadPool.Current!.GetSnapshot().Workers.Single(static w => w.Name == Thread.CurrentThread.Name);
        return $"{here.Origin} {here.Kind}";
    }

    [NotingFilter]
    [RunOnPool("io", MaxBodyBytes = 1000)]
    public sealed class ShopController : Controller
    {
        private Trail Trail => HttpContext.RequestServices.GetRequiredService<Trail>();

        public IActionResult List()
        {
            Trail.Add("action");
            return View((List<string>)["pear", "fig"]);
        }

        public IActionResult Lazy() => View("List", Items(Trail));

        [RunOnPool("io", ExecuteResult = true)]
        public IActionResult Whole() => View("List", Items(Trail));

        public string Where() => Trail.Here;

        public string Context() => MvcTests.Context();

        public Task<string> LaterContext() => LaterContextAsync();

        public IActionResult Throws()
        {
            Trail.Add("throws");
            throw new InvalidOperationException("thrown on purpose");
        }

        public IActionResult Form() => View();

        [HttpPost]
        [ValidateAntiForgeryToken]
        public string Send(string text)
        {
            Trail.Add("sent");
            return text;
        }
    }

    public static class Back
    {
        [Area("Back")]
        public sealed class PlainController : Controller
        {
            public string Shown() => MvcTests.Shown();
        }
    }

    public sealed class PlainController : Controller
    {
        public string Where() => Trail.Here;

        public string Shown() => MvcTests.Shown();

        public string Context() => MvcTests.Context();

        public Task<string> LaterContext() => LaterContextAsync();

        public IActionResult Lazy() => View("~/Views/Shop/List.cshtml", Items(HttpContext.RequestServices.GetRequiredService<Trail>()));
    }

    public sealed class MarkedController : Controller
    {
        [RunOnPool("io")]
        public string Where() => Trail.Here;

        [RunOnPool("io")]
        public string Shown() => MvcTests.Shown();
    }

    private static IEnumerable<string> Items(Trail trail)
    {
        trail.Add("item");
        yield return "lazy";
    }

    [AttributeUsage(AttributeTargets.Class)]
    private sealed class NotingFilterAttribute : Attribute, IAuthorizationFilter, IResourceFilter, IActionFilter, IResultFilter, IExceptionFilter
    {
        public void OnAuthorization(AuthorizationFilterContext context) => Add(context, "authorization filter");

        public void OnResourceExecuting(ResourceExecutingContext context) => Add(context, "resource filter");

        public void OnResourceExecuted(ResourceExecutedContext context) { }

        public void OnActionExecuting(ActionExecutingContext context) => Add(context, "action filter");

        public void OnActionExecuted(ActionExecutedContext context) => Add(context, "action filter again");

        public void OnResultExecuting(ResultExecutingContext context) => Add(context, "result filter");

        public void OnResultExecuted(ResultExecutedContext context) { }

        public void OnException(ExceptionContext context)
        {
            Add(context, "exception filter");
            context.Result = new StatusCodeResult(418);
        }

        private static void Add(FilterContext context, string step) => context.HttpContext.RequestServices.GetRequiredService<Trail>().Add(step);
    }
}
