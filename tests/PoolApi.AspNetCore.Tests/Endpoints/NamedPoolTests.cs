using PoolApi.AspNetCore.Endpoints;
using PoolApi.AspNetCore.Tests.Support;
using PoolApi.Threading;

namespace PoolApi.AspNetCore.Tests.Endpoints;

/// <summary>Several pools in an app, and endpoints that name their pool, even where their group names another.</summary>
public class NamedPoolTests
{
    private static Task<TestApp> StartAsync(Action<WebApplication> map) => TestApp.StartAsync(
        map, new() { ["Pool:Workers"] = "1", ["Io:Workers"] = "3" }, b => b.Services.AddFixedThreadPool("io").FromSection("Io"));

    private static string Where() => Thread.CurrentThread.Name ?? "";

    [Fact]
    public async Task An_endpoint_runs_on_the_pool_that_it_names_or_else_on_the_first_pool()
    {
        await using TestApp app = await StartAsync(app =>
        {
            app.MapGet("/first", Where).RunOnPool();
            app.MapGet("/cpu", Where).RunOnPool("cpu");
            app.MapGet("/io", Where).RunOnPool("io");
        });
        Assert.Equal("cpu-0", await app.Client.GetStringAsync("/first", TestApp.Token));
        Assert.Equal("cpu-0", await app.Client.GetStringAsync("/cpu", TestApp.Token));
        Assert.StartsWith("io-", await app.Client.GetStringAsync("/io", TestApp.Token), StringComparison.Ordinal);
        Assert.Equal(3, app.App.Services.GetRequiredKeyedService<FixedThreadPool>("io").Workers);
        Assert.Same(app.App.Services.GetRequiredKeyedService<FixedThreadPool>("cpu"), app.Pool);
    }

    [Fact]
    public async Task A_group_puts_all_its_endpoints_on_the_pool()
    {
        await using TestApp app = await StartAsync(app =>
        {
            var group = app.MapGroup("/g").RunOnPool("io");
            group.MapGet("/a", Where);
            group.MapGet("/b", context => context.Response.WriteAsync(Where(), TestApp.Token));
            app.MapGet("/outside", static () => Thread.CurrentThread.IsThreadPoolThread ? "a thread of the server" : Where());
        });
        Assert.StartsWith("io-", await app.Client.GetStringAsync("/g/a", TestApp.Token), StringComparison.Ordinal);
        Assert.StartsWith("io-", await app.Client.GetStringAsync("/g/b", TestApp.Token), StringComparison.Ordinal);
        Assert.Equal("a thread of the server", await app.Client.GetStringAsync("/outside", TestApp.Token));
    }

    [Theory]
    [InlineData("/handler")]
    [InlineData("/delegate")]
    public async Task An_endpoint_overrides_the_pool_of_its_group_and_its_request_is_submitted_once(string path)
    {
        await using TestApp app = await StartAsync(app =>
        {
            var group = app.MapGroup("").RunOnPool("cpu");
            group.MapGet("/handler", Where).RunOnPool("io");
            group.MapGet("/delegate", context => context.Response.WriteAsync(Where(), TestApp.Token)).RunOnPool("io");
        });
        using HttpResponseMessage response = await app.Client.GetAsync(new Uri(path, UriKind.Relative), TestApp.Token);
        Assert.StartsWith("io-", await response.Content.ReadAsStringAsync(TestApp.Token), StringComparison.Ordinal);
        Assert.Single(response.Headers.GetValues("Server-Timing"));
        Assert.Equal(1, app.App.Services.GetRequiredKeyedService<FixedThreadPool>("io").GetSnapshot().Accepted);
        Assert.Equal(0, app.Pool.GetSnapshot().Accepted);
    }

    [Fact]
    public async Task An_unknown_pool_fails_the_start_also_where_the_app_calls_UseRouting_itself() =>
        await Assert.ThrowsAsync<InvalidOperationException>(() => StartAsync(static app =>
        {
            app.UseRouting();
            app.MapGet("/", Where).RunOnPool("gpu");
        }));

    [Fact]
    public void AddFixedThreadPool_throws_for_a_name_that_is_already_in_use()
    {
        var services = new ServiceCollection();
        services.AddFixedThreadPool("cpu");
        Assert.Contains("'cpu'", Assert.Throws<ArgumentException>(() => services.AddFixedThreadPool("cpu")).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("/v1/things/{id}", "/v1/things/7", "things/{id}")]
    [InlineData("/v12/things", "/v12/things", "things")]
    [InlineData("/vx/things", "/vx/things", "vx/things")]
    [InlineData("/", "/", "work")]
    public async Task The_kind_of_work_is_the_route_without_its_version(string route, string path, string kind)
    {
        string? seen = null;
        await using TestApp app = await TestApp.StartAsync(app => app.MapGet(route, (HttpContext context, int? unused) =>
        {
            seen = context.Features.Get<PoolRequest>()!.Kind;
            return "";
        }).RunOnPool());
        await app.Client.GetStringAsync(path, TestApp.Token);
        Assert.Equal(kind, seen);
    }

    [Fact]
    public async Task Two_apps_in_one_process_have_pools_of_their_own()
    {
        await using TestApp one = await TestApp.StartAsync(app => app.MapGet("/", Where).RunOnPool());
        await using TestApp two = await TestApp.StartAsync(app => app.MapGet("/", Where).RunOnPool());
        await one.Client.GetStringAsync("/", TestApp.Token);
        Assert.Equal(1, one.Pool.GetSnapshot().Counts[WorkOutcome.Completed]);
        Assert.Equal(0, two.Pool.GetSnapshot().Counts[WorkOutcome.Completed]);
        await one.App.StopAsync(TestApp.Token);
        Assert.Equal("cpu-0", await two.Client.GetStringAsync("/", TestApp.Token));
    }
}
