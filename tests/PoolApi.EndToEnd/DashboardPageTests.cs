using System.Collections.Concurrent;
using Microsoft.Playwright;

namespace PoolApi.EndToEnd;

/// <summary>The page on the management port shows the workers live, in a real browser.</summary>
public sealed class DashboardPageTests
{
    private static readonly string[] BrowserArguments =
    [
        "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
        "--disable-component-update", "--disable-sync",
    ];

    [Theory, ClassData(typeof(BothForms))]
    public async Task It_shows_a_row_per_worker_that_turns_busy_and_idle_again(ServiceForm form)
    {
        string chromium = Tool.Require("chromium", "apt-get install chromium");
        Environment.SetEnvironmentVariable("PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD", "1");
        await using var service = await PoolApiProcess.StartAsync(form, "--Pool:Workers 3", PoolApiProcess.Diagnostics);
        using var playwright = await Playwright.CreateAsync();
        await using var browser = await playwright.Chromium.LaunchAsync(new() { ExecutablePath = chromium, Args = BrowserArguments });
        var page = await browser.NewPageAsync();
        var complaints = new ConcurrentQueue<string>();
        page.Console += (_, message) =>
        {
            if (message.Type is "error" or "warning")
                complaints.Enqueue(message.Text);
        };
        page.PageError += (_, error) => complaints.Enqueue(error);
        page.Request += (_, request) =>
        {
            bool own = request.Url.StartsWith(service.Management.Url, StringComparison.Ordinal);
            if (!own && !request.Url.StartsWith("data:", StringComparison.Ordinal))
                complaints.Enqueue($"the page asks elsewhere: {request.Url}");
        };

        await page.GotoAsync(service.Management.Url + "/");

        for (int id = 0; id < 3; id++)
            await Assertions.Expect(Row(page, $"cpu-{id}")).ToContainTextAsync("idle");
        var running = await service.OccupyAsync(1, 4000);
        string name = (await service.WorkersAsync()).Workers.Single(worker => worker.State == "busy").Name;
        await Assertions.Expect(Row(page, name)).ToContainTextAsync("busy", new() { Timeout = 3500 });
        await Assertions.Expect(Row(page, name)).ToContainTextAsync("diagnostics/sleep", new() { Timeout = 3000 });
        (await running[0]).MustBe(200);
        await Assertions.Expect(Row(page, name)).ToContainTextAsync("idle", new() { Timeout = 10_000 });
        Assert.Empty(complaints);
    }

    private static ILocator Row(IPage page, string worker) => page.GetByRole(AriaRole.Row).Filter(new() { HasText = worker });
}
