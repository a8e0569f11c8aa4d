using System.Globalization;
using System.Text.RegularExpressions;
using Microsoft.Playwright;

namespace PoolApi.EndToEnd.Dashboard;

/// <summary>A page whose stream was cut reconnects and shows everything that happened meanwhile.</summary>
public sealed partial class ReconnectTests
{
    private const int Before = 2;
    private const int Meanwhile = 24;

    [Theory, InlineData(false), InlineData(true)]
    public async Task After_a_reconnect_the_lanes_and_charts_show_the_work_done_during_the_cut(bool anotherWatches)
    {
        await using var service = await PoolApiProcess.StartAsync(ServiceForm.Any, "--Pool:Workers 2", PoolApiProcess.Diagnostics);
        await using var way = new TcpForwarder(service.Management.Port);
        await using var browser = await DashboardBrowser.OpenAsync(way.Url);
        // While another page is connected, the service makes frames, which this page misses. Otherwise it makes none.
        await using var other = anotherWatches ? await DashboardBrowser.OpenAsync(service) : null;
        await SleepAsync(service, Before, 300);
        await SeeRowsAsync(browser, Before);

        way.Cut();
        ILocator live = browser.Page.Locator("#live");
        await Assertions.Expect(live).ToContainTextAsync("no response");
        await SleepAsync(service, Meanwhile, 300);
        Assert.Equal(Before, await RowsAsync(browser));
        way.Open();
        await Assertions.Expect(live).ToHaveTextAsync("live");

        await SeeRowsAsync(browser, Before + Meanwhile);
        // The seconds in which an item ended, according to the server. The page gets the last of them a moment later.
        var history = (await service.Management.GetAsync("/history?seconds=300")).MustBe(200).Json().GetProperty("pools")[0].GetProperty("samples");
        double[] ended = [.. history.EnumerateArray().Select(static sample => sample.GetProperty("finished").TryGetProperty("completed", out var rate) ? rate.GetDouble() : 0).Where(static rate => rate > 0)];
        Assert.InRange(ended.Length, 4, 60);
        ILocator chart = browser.Page.GetByRole(AriaRole.Slider, new() { Name = "Finished by outcome" });
        double[] shown = await Eventually.SeesAsync(
            async () => (await PointsAsync(chart)).Where(static rate => rate > 0).ToArray(), seen => seen.Length == ended.Length, $"{ended.Length} seconds in which something ended");
        Assert.All(ended.Zip(shown), static pair => Assert.Equal(pair.First, pair.Second, 0.06)); // shown with one digit
        Assert.Empty(browser.Complaints);
    }

    [Fact]
    public async Task The_page_keeps_the_choices_of_the_user_after_a_restart_of_the_server()
    {
        int api = FreePorts.Next(), management = FreePorts.Next();
        string[] settings = ["--Pool:Workers 70", PoolApiProcess.Diagnostics];
        var service = await PoolApiProcess.StartAtAsync(ServiceForm.Any, "127.0.0.1", api, management, settings);
        await using var browser = await DashboardBrowser.OpenAsync(service);
        IPage page = browser.Page;
        ILocator workers = page.Locator("tr[data-worker]");
        ILocator hour = page.GetByRole(AriaRole.Button, new() { Name = "1 h" });
        await page.GetByRole(AriaRole.Button, new() { Name = "Next" }).ClickAsync();
        await Assertions.Expect(workers).ToHaveCountAsync(6);
        await hour.ClickAsync();
        string before = await InstanceAsync(service);

        await service.KillAsync();
        await service.DisposeAsync();
        await Assertions.Expect(page.Locator("#live")).ToContainTextAsync("no response");
        await using var again = await PoolApiProcess.StartAtAsync(ServiceForm.Any, "127.0.0.1", api, management, settings);
        Assert.NotEqual(before, await InstanceAsync(again));
        await Assertions.Expect(page.Locator("#live")).ToHaveTextAsync("live");

        await Assertions.Expect(workers).ToHaveCountAsync(6);
        await Assertions.Expect(browser.Worker("cpu-69")).ToContainTextAsync("idle");
        await Assertions.Expect(hour).ToHaveAttributeAsync("aria-pressed", "true");
        await Assertions.Expect(hour).ToBeFocusedAsync();
        Assert.Empty(browser.Complaints);
    }

    private static async Task<string> InstanceAsync(PoolApiProcess service) =>
        (await service.Management.GetAsync("/status")).MustBe(200).Json().GetProperty("instance").GetString()!;

    /// <summary>Runs this many sleeps on two workers, two at a time.</summary>
    private static async Task SleepAsync(PoolApiProcess service, int items, int milliseconds)
    {
        for (int i = 0; i < items; i += 2)
        {
            foreach (var answer in await Task.WhenAll(Enumerable.Range(0, 2).Select(_ => service.Api.PostAsync($"/v1/diagnostics/sleep?ms={milliseconds}"))))
                answer.MustBe(200);
        }
    }

    private static async Task SeeRowsAsync(DashboardBrowser browser, int rows) =>
        await Eventually.SeesAsync(() => RowsAsync(browser), seen => seen == rows, $"{rows} pieces on the lanes");

    /// <summary>The number of ended sleeps on the lanes of both workers, read from the tables with the same pieces.</summary>
    private static async Task<int> RowsAsync(DashboardBrowser browser)
    {
        int rows = 0;
        foreach (string worker in (string[])["cpu-0", "cpu-1"])
        {
            await browser.Page.GetByRole(AriaRole.Button, new() { Name = $"{worker}: list what it did" }).ClickAsync();
            ILocator dialog = browser.Page.GetByRole(AriaRole.Dialog);
            rows += await dialog.Locator("tbody tr").Filter(new() { HasText = "diagnostics/sleep" }).Filter(new() { HasText = "completed" }).CountAsync();
            await browser.Page.Keyboard.PressAsync("Escape");
            await Assertions.Expect(dialog).ToHaveCountAsync(0);
        }

        return rows;
    }

    /// <summary>The values of a chart with one series, from its first second to its last, read from its text for keyboard users.</summary>
    private static async Task<List<double>> PointsAsync(ILocator chart)
    {
        await chart.FocusAsync();
        await chart.PressAsync("Home");
        await Assertions.Expect(chart).ToHaveAttributeAsync("aria-valuenow", "0");
        // A script presses the other keys in the page. Three calls to the browser for each second would take most of the test's time.
        string[] texts = await chart.EvaluateAsync<string[]>(
            """
            async chart => {
              const now = () => Number(chart.getAttribute("aria-valuenow"));
              const texts = [chart.getAttribute("aria-valuetext")];
              for (const last = Number(chart.getAttribute("aria-valuemax")); now() < last;) {
                const before = now();
                chart.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowRight", bubbles: true, cancelable: true }));
                while (now() === before) await new Promise(requestAnimationFrame);
                texts.push(chart.getAttribute("aria-valuetext"));
              }
              return texts;
            }
            """).Patiently(); // Playwright has no timeout for a script
        return [.. texts.Select(static text => Completed().Match(text))
            .Select(static value => value.Success ? double.Parse(value.Groups[1].Value, CultureInfo.InvariantCulture) : 0)];
    }

    [GeneratedRegex(@"completed ([\d.]+)/s")]
    private static partial Regex Completed();
}
