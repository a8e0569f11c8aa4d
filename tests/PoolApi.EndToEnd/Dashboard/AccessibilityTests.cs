using Deque.AxeCore.Commons;
using Deque.AxeCore.Playwright;
using Microsoft.Playwright;

namespace PoolApi.EndToEnd.Dashboard;

/// <summary>axe-core finds no violation on any page, in light and dark, in a wide window and on a phone. The tests save a picture of each.</summary>
public sealed class AccessibilityTests
{
    // All rules run. The result omits passed checks, because nothing reads them and the list takes time.
    private static readonly AxeRunOptions ViolationsOnly = new() { ResultTypes = [ResultType.Violations] };

    // The rules about colours. For all others a page is the same in light and dark.
    private static readonly AxeRunOptions ViolationsOfColours = new()
    {
        ResultTypes = [ResultType.Violations],
        RunOnly = new RunOnlyOptions { Type = "rule", Values = ["color-contrast", "link-in-text-block"] },
    };

    [Theory]
    [InlineData(1280)]
    [InlineData(390)]
    public async Task No_page_has_a_violation(int width)
    {
        await using var service = await PoolApiProcess.StartAsync(
            ServiceForm.Any, "--Pool:Workers 6", "--Pool:StuckAfter 00:00:02", PoolApiProcess.Diagnostics);
        Guid job = await service.Api.AcceptJobAsync("/v1/diagnostics/sleep?ms=600000&tag=customer-42");
        await service.Api.AcceptJobAsync("/v1/diagnostics/sleep?ms=1&tag=nightly");
        await service.Api.CancelJobAsync(await service.Api.AcceptJobAsync("/v1/diagnostics/sleep?ms=600000&tag=nightly"));
        (await service.Management.PostAsync("/work/burst")).MustBe(200);

        await using var browser = await DashboardBrowser.OpenAsync(service, "/", ColorScheme.Light, width);
        await Assertions.Expect(browser.Page.Locator("tr[data-state='stuck']")).Not.ToHaveCountAsync(0);
        await CheckAsync(browser, "pools", width);
        await browser.Page.GetByRole(AriaRole.Button, new() { Name = "cpu-0: list what it did" }).ClickAsync();
        await CheckAsync(browser, "pieces", width);
        await browser.Page.Keyboard.PressAsync("Escape");

        await browser.Page.GotoAsync(service.Management.Url + "/jobs");
        await Assertions.Expect(browser.Page.Locator("tr[data-job]")).ToHaveCountAsync(3);
        await CheckAsync(browser, "jobs", width);
        await browser.Page.GetByRole(AriaRole.Button, new() { Name = "Cancel all that match…" }).ClickAsync();
        await Assertions.Expect(browser.Page.GetByRole(AriaRole.Dialog)).ToBeVisibleAsync();
        await CheckAsync(browser, "question", width);
        await browser.Page.Keyboard.PressAsync("Escape");

        await browser.Page.GotoAsync($"{service.Management.Url}/job?id={job}");
        await Assertions.Expect(browser.Page.Locator(".timeline li")).Not.ToHaveCountAsync(0);
        await CheckAsync(browser, "job", width);
        Assert.Empty(browser.Complaints);
    }

    private static async Task CheckAsync(DashboardBrowser browser, string page, int width)
    {
        await CheckAsync(browser, $"{page}-dark-{width}", ColorScheme.Dark, ViolationsOfColours);
        await CheckAsync(browser, $"{page}-light-{width}", ColorScheme.Light, ViolationsOnly);
    }

    private static async Task CheckAsync(DashboardBrowser browser, string name, ColorScheme scheme, AxeRunOptions options)
    {
        await browser.Page.EmulateMediaAsync(new() { ColorScheme = scheme });
        await browser.PictureAsync(name);
        // RunAxe opens a window for each result, because of frames from other origins. These pages have no frames.
#pragma warning disable CS0618
        var result = await browser.Page.RunAxeLegacy(options: options);
#pragma warning restore CS0618
        Assert.True(result.Violations.Length == 0, $"{name}: " + string.Join("\n", result.Violations.Select(static v =>
            $"{v.Id} ({v.Impact}): {v.Help}\n" + string.Join("\n", v.Nodes.Take(5).Select(static n => $"   {n.Html}")))));
        // Nothing is wider than the window, so nobody has to scroll sideways on a phone.
        int beyond = await browser.Page.EvaluateAsync<int>("() => document.documentElement.scrollWidth - document.documentElement.clientWidth");
        Assert.True(beyond <= 0, $"{name} is {beyond} px wider than the window");
    }
}
