using Microsoft.Playwright;
using PoolApi.EndToEnd.Connections;

namespace PoolApi.EndToEnd.Dashboard;

/// <summary>Behind an nginx that strips a path prefix, the pages request nothing outside the prefix, and everything on them works.</summary>
public sealed class BehindProxyTests
{
    [Fact]
    public async Task The_pages_work_under_the_path_prefix_of_a_proxy_and_make_changes()
    {
        await using var service = await PoolApiProcess.StartAsync(ServiceForm.Any, "--Pool:Workers 2", PoolApiProcess.Diagnostics);
        int port = FreePorts.Next();
        await using var nginx = await ProxyServer.StartAsync(
            new ProxyServer.Configuration("nginx", "nginx/poolapi.conf", port, NginxTests.Arguments).With("listen 80;", $"listen 127.0.0.1:{port};")
                .With("10.0.0.11:8080", $"127.0.0.1:{service.Management.Port}").With("server 10.0.0.12:8080 max_fails=0;", ""));
        var job = await service.Api.AcceptJobAsync("/v1/diagnostics/noop");
        Assert.Equal("succeeded", (await service.Api.JobEndsAsync(job)).State);

        await using var browser = await DashboardBrowser.OpenAsync($"{nginx.Web.Url}/thumbs");
        await Assertions.Expect(browser.Worker("cpu-1")).ToContainTextAsync("idle");
        await browser.Page.GetByRole(AriaRole.Button, new() { Name = "A burst" }).ClickAsync();
        await Assertions.Expect(browser.Page.Locator("#first-minute")).ToContainTextAsync("Sent 60 items.");
        await Assertions.Expect(browser.Page.Locator(".legend").First).ToContainTextAsync("diagnostics/hash");

        await browser.Page.GetByRole(AriaRole.Link, new() { Name = "Jobs", Exact = true }).ClickAsync();
        await browser.Page.GetByRole(AriaRole.Link, new() { Name = $"{job}" }).ClickAsync();
        await Assertions.Expect(browser.Page.Locator(".timeline")).ToContainTextAsync("Attempt 1 of");
        Assert.Equal($"{nginx.Web.Url}/thumbs/job?id={job}", browser.Page.Url);
        await browser.Page.GetByRole(AriaRole.Link, new() { Name = "Pools", Exact = true }).ClickAsync();
        await Assertions.Expect(browser.Worker("cpu-0")).ToBeVisibleAsync();
        Assert.Empty(browser.Complaints);
    }
}
