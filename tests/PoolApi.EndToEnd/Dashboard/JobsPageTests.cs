using Microsoft.Playwright;

namespace PoolApi.EndToEnd.Dashboard;

/// <summary>On the pages of the jobs, an operator finds, opens, cancels and retries jobs, also by keyboard alone.</summary>
public sealed class JobsPageTests
{
    [Fact]
    public async Task A_job_is_found_opened_and_cancelled_by_keyboard_alone()
    {
        await using var service = await PoolApiProcess.StartAsync(ServiceForm.Any, "--Pool:Workers 2", PoolApiProcess.Diagnostics);
        for (int i = 0; i < 3; i++) await service.Api.AcceptJobAsync("/v1/diagnostics/sleep?ms=1&tag=other");
        Guid wanted = await service.Api.AcceptJobAsync("/v1/diagnostics/sleep?ms=600000&tag=wanted");
        await using var browser = await DashboardBrowser.OpenAsync(service);
        IPage page = browser.Page;

        await TabToAsync(page, "Jobs");
        await page.Keyboard.PressAsync("Enter");
        await Assertions.Expect(page).ToHaveURLAsync($"{service.Management.Url}/jobs");
        await TabToAsync(page, "Tag");
        await page.Keyboard.TypeAsync("wanted");
        await page.Keyboard.PressAsync("Enter");
        await Assertions.Expect(page.Locator("tr[data-job]")).ToHaveCountAsync(1);
        await TabToAsync(page, wanted.ToString());
        await page.Keyboard.PressAsync("Enter");
        await Assertions.Expect(page).ToHaveURLAsync($"{service.Management.Url}/job?id={wanted}");
        await Assertions.Expect(page.Locator("#job")).ToContainTextAsync("running");
        await TabToAsync(page, "Cancel…");
        await page.Keyboard.PressAsync("Enter");
        await Assertions.Expect(page.GetByRole(AriaRole.Dialog)).ToBeVisibleAsync();
        await TabToAsync(page, "Cancel the job");
        await page.Keyboard.PressAsync("Enter");
        await Assertions.Expect(page.Locator("#job .badge")).ToHaveTextAsync("cancelled");
        await Assertions.Expect(page.Locator(".timeline")).ToContainTextAsync("Cancelled");
        Assert.Equal("cancelled", (await service.Api.JobAsync(wanted)).State);
        Assert.Empty(browser.Complaints);
    }

    [Fact]
    public async Task One_confirmation_that_names_the_count_retries_all_ten_jobs_of_a_filter()
    {
        await using var service = await PoolApiProcess.StartAsync(ServiceForm.Any, "--Pool:Workers 2", PoolApiProcess.Diagnostics);
        var ids = new List<Guid>();
        string later = InAnHour();
        for (int i = 0; i < 10; i++) ids.Add(await service.Api.AcceptJobAsync($"/v1/diagnostics/sleep?ms=1&tag=ten&runAt={later}"));
        Guid other = await service.Api.AcceptJobAsync($"/v1/diagnostics/sleep?ms=1&tag=other&runAt={later}");
        foreach (Guid id in (Guid[])[.. ids, other]) await service.Api.CancelJobAsync(id);

        await using var browser = await DashboardBrowser.OpenAsync(service, "/jobs?tag=ten&state=cancelled");
        IPage page = browser.Page;
        await Assertions.Expect(page.Locator("tr[data-job]")).ToHaveCountAsync(10);
        await page.GetByRole(AriaRole.Button, new() { Name = "Retry all that match…" }).ClickAsync();
        await Assertions.Expect(page.GetByRole(AriaRole.Dialog)).ToContainTextAsync("Retry 10 jobs?");
        await page.GetByRole(AriaRole.Button, new() { Name = "Retry 10 jobs" }).ClickAsync();
        await Assertions.Expect(page.Locator(".notice.good")).ToHaveTextAsync("10 of 10 queued again.");
        await Assertions.Expect(page.Locator("tr[data-job]")).ToHaveCountAsync(0);
        foreach (Guid id in ids) await service.Api.JobEndsAsync(id);
        Assert.Equal("cancelled", (await service.Api.JobAsync(other)).State);
        await Assertions.Expect(page.Locator("#actions")).ToContainTextAsync("Retry jobs with state cancelled, tag ten");
        Assert.Empty(browser.Complaints);
    }

    [Fact]
    public async Task The_list_is_live()
    {
        await using var service = await PoolApiProcess.StartAsync(ServiceForm.Any, "--Pool:Workers 2", PoolApiProcess.Diagnostics);
        await using var browser = await DashboardBrowser.OpenAsync(service, "/jobs");
        await Assertions.Expect(browser.Page.Locator("#empty")).ToContainTextAsync("No jobs yet");
        Guid id = await service.Api.AcceptJobAsync(PoolApiProcess.Sleep(2000));
        ILocator row = browser.Page.Locator($"tr[data-job='{id}']");
        await Assertions.Expect(row).ToContainTextAsync("running");
        await Assertions.Expect(row).ToContainTextAsync("succeeded");
        Assert.Empty(browser.Complaints);
    }

    [Fact]
    public async Task The_page_reports_a_refused_filter_and_does_not_request_it_again_until_the_filter_changes()
    {
        await using var service = await PoolApiProcess.StartAsync(ServiceForm.Any, "--Pool:Workers 2", PoolApiProcess.Diagnostics);
        Guid job = await service.Api.AcceptJobAsync("/v1/diagnostics/sleep?ms=1");
        await using var browser = await DashboardBrowser.OpenAsync(service);
        IPage page = browser.Page;
        int streams = 0;
        page.Request += (_, request) =>
        {
            if (request.Url.Contains("/jobs/stream", StringComparison.Ordinal)) Interlocked.Increment(ref streams);
        };

        await page.Clock.InstallAsync();
        await page.GotoAsync($"{service.Management.Url}/jobs?id=hello");
        await Assertions.Expect(page.Locator("#banner")).ToContainTextAsync("hexadecimal");
        await Assertions.Expect(page.Locator("#live")).ToHaveTextAsync("refused");
        // The page does not request the stream again when it becomes visible, or after ten minutes.
        await page.EvaluateAsync("document.dispatchEvent(new Event('visibilitychange'))");
        await page.Clock.FastForwardAsync(600_000);
        await page.EvaluateAsync("fetch('status').then(answer => answer.ok)"); // so that all earlier requests are counted
        Assert.Equal(2, Volatile.Read(ref streams)); // the stream, and the request for the reason of its refusal

        await page.GetByLabel("Id or its beginning").FillAsync(job.ToString()[..8]);
        await page.Keyboard.PressAsync("Enter");
        await Assertions.Expect(page.Locator($"tr[data-job='{job}']")).ToBeVisibleAsync();
        await Assertions.Expect(page.Locator("#banner")).ToBeEmptyAsync();
        await Assertions.Expect(page.Locator("#live")).ToHaveTextAsync("live");
        Assert.All(browser.Complaints, static complaint => Assert.Contains("400", complaint, StringComparison.Ordinal));
    }

    [Fact]
    public async Task The_page_retries_an_unavailable_stream_after_growing_pauses()
    {
        await using var service = await PoolApiProcess.StartAsync(ServiceForm.Any, "--Pool:Workers 2", PoolApiProcess.Diagnostics);
        await using var browser = await DashboardBrowser.OpenAsync(service);
        IPage page = browser.Page;
        int streams = 0;
        await page.RouteAsync("**/jobs/stream", route =>
        {
            // Three requests of EventSource and three for the reason of its failure get a 503. Then the stream opens.
            return Interlocked.Increment(ref streams) <= 6 ? route.FulfillAsync(new() { Status = 503 }) : route.ContinueAsync();
        });
        await page.Clock.InstallAsync(new() { TimeDate = DateTime.UnixEpoch });
        await page.Clock.PauseAtAsync(DateTime.UnixEpoch.AddSeconds(1));

        await page.GotoAsync($"{service.Management.Url}/jobs");
        int paused = 0;
        while (Volatile.Read(ref streams) <= 6)
        {
            await page.Clock.RunForAsync(2);
            paused += 2;
        }

        // Three pauses: the first is 0.5 s, and each is half as long again as the one before.
        Assert.InRange(paused, 500 + 750 + 1125, int.MaxValue);
        await page.Clock.ResumeAsync();
        await Assertions.Expect(page.Locator("#live")).ToHaveTextAsync("live");
        Assert.All(browser.Complaints, static complaint => Assert.Contains("503", complaint, StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_paused_list_keeps_its_rows_and_loads_a_new_filter_only_once()
    {
        const int Page = 50;
        await using var service = await PoolApiProcess.StartAsync(ServiceForm.Any, "--Pool:Workers 2", PoolApiProcess.Diagnostics);
        string later = InAnHour();
        var old = new List<Guid>();
        for (int i = 0; i < Page; i++) old.Add(await service.Api.AcceptJobAsync($"/v1/diagnostics/sleep?ms=1&tag=old&runAt={later}"));
        await using var browser = await DashboardBrowser.OpenAsync(service, "/jobs");
        IPage page = browser.Page;
        ILocator rows = page.Locator("tr[data-job]");
        await Assertions.Expect(rows).ToHaveCountAsync(Page);

        await page.GetByRole(AriaRole.Button, new() { Name = "Pause" }).ClickAsync();
        Guid latest = default;
        for (int i = 0; i < Page; i++) latest = await service.Api.AcceptJobAsync($"/v1/diagnostics/sleep?ms=1&tag=new&runAt={later}");
        await Assertions.Expect(page.Locator("#counts")).ToContainTextAsync("all 100");
        Assert.Equal(Enumerable.Reverse(old).Select(static id => $"{id}"), await rows.EvaluateAllAsync<string[]>("rows => rows.map(row => row.dataset.job)"));

        await page.GetByLabel("Tag").FillAsync("new");
        await page.Keyboard.PressAsync("Enter");
        await Assertions.Expect(page.Locator($"tr[data-job='{latest}']")).ToBeVisibleAsync();
        await Assertions.Expect(rows).ToHaveCountAsync(Page);
        Guid last = await service.Api.AcceptJobAsync($"/v1/diagnostics/sleep?ms=1&tag=new&runAt={later}");
        await Assertions.Expect(page.Locator("#counts")).ToContainTextAsync("all 101");
        await Assertions.Expect(page.Locator($"tr[data-job='{last}']")).ToHaveCountAsync(0);
        await page.GetByRole(AriaRole.Button, new() { Name = "Go on" }).ClickAsync();
        await Assertions.Expect(page.Locator($"tr[data-job='{last}']")).ToBeVisibleAsync();
        await Assertions.Expect(rows).ToHaveCountAsync(Page);
        Assert.Empty(browser.Complaints);
    }

    [Fact]
    public async Task The_job_page_keeps_the_focus_and_the_notice_while_the_job_changes()
    {
        await using var service = await PoolApiProcess.StartAsync(ServiceForm.Any, "--Pool:Workers 2", PoolApiProcess.Diagnostics);
        Guid job = await service.Api.AcceptJobAsync("/v1/diagnostics/sleep?ms=60000");
        await using var browser = await DashboardBrowser.OpenAsync(service, $"/job?id={job}");
        IPage page = browser.Page;
        await Assertions.Expect(page.Locator("#job .badge").First).ToHaveTextAsync("running");
        await page.EvaluateAsync("() => { window.versions = 0; new MutationObserver(() => window.versions++).observe(document.querySelector('#job'), { childList: true }); }");
        ILocator copy = page.GetByRole(AriaRole.Button, new() { Name = "Copy job id" });
        await copy.FocusAsync();
        await Eventually.SeesAsync(() => page.EvaluateAsync<int>("window.versions"), static seen => seen >= 3, "three versions of the job");
        await Assertions.Expect(copy).ToBeFocusedAsync();

        await page.GetByRole(AriaRole.Button, new() { Name = "Cancel…" }).ClickAsync();
        await page.GetByRole(AriaRole.Button, new() { Name = "Cancel the job" }).ClickAsync();
        await Assertions.Expect(page.Locator("#job .badge").First).ToHaveTextAsync("cancelled");
        await Assertions.Expect(page.Locator("#notice")).ToHaveTextAsync("Cancellation requested.");
        await Assertions.Expect(page.Locator("#notice")).ToBeVisibleAsync();

        // The ages on the page keep growing after the job's end.
        ILocator accepted = page.Locator(".facts [data-since]").First;
        await Assertions.Expect(accepted).Not.ToHaveTextAsync(await accepted.TextContentAsync() ?? "");
        Assert.Empty(browser.Complaints);
    }

    [Fact]
    public async Task The_job_page_shows_that_a_due_job_waits_for_a_worker_without_a_new_event()
    {
        await using var service = await PoolApiProcess.StartAsync(ServiceForm.Any, "--Pool:Workers 1", PoolApiProcess.Diagnostics);
        for (int i = 0; i < 2; i++) await service.Api.AcceptJobAsync("/v1/diagnostics/sleep?ms=600000");
        Guid job = await service.Api.AcceptJobAsync($"/v1/diagnostics/sleep?ms=1&runAt={InAnHour()}");
        await using var browser = await DashboardBrowser.OpenAsync(service);
        IPage page = browser.Page;
        await page.Clock.InstallAsync();
        await page.GotoAsync($"{service.Management.Url}/job?id={job}");
        await Assertions.Expect(page.Locator(".timeline")).ToContainTextAsync("Waits until");
        await page.Clock.FastForwardAsync(3_600_000);
        await Assertions.Expect(page.Locator(".timeline")).ToContainTextAsync("Waits for a worker");
        Assert.Empty(browser.Complaints);
    }

    [Fact]
    public async Task The_pages_repeat_their_first_request_after_a_503()
    {
        await using var service = await PoolApiProcess.StartAsync(ServiceForm.Any, "--Pool:Workers 2", PoolApiProcess.Diagnostics);
        Guid job = await service.Api.AcceptJobAsync($"/v1/diagnostics/sleep?ms=1&runAt={InAnHour()}");
        await using var browser = await DashboardBrowser.OpenAsync(service);
        IPage page = browser.Page;
        int asked = 0;
        foreach (string first in (string[])["**/job/known?*", "**/jobs/kinds"])
            await page.RouteAsync(first, route => Interlocked.Increment(ref asked) == 1 ? route.FulfillAsync(new() { Status = 503 }) : route.ContinueAsync());

        await page.GotoAsync($"{service.Management.Url}/job?id={job}");
        await Assertions.Expect(page.Locator("#none")).ToHaveTextAsync("The server answered 503.");
        await Assertions.Expect(page.Locator("#job .badge").First).ToHaveTextAsync("queued");

        Volatile.Write(ref asked, 0);
        await page.GotoAsync($"{service.Management.Url}/jobs");
        await Assertions.Expect(page.Locator($"tr[data-job='{job}']")).ToBeVisibleAsync();
        await Assertions.Expect(page.Locator("select[name='kind'] option[value='diagnostics/sleep']")).ToHaveCountAsync(1);
        await Assertions.Expect(page.GetByRole(AriaRole.Button, new() { Name = $"Cancel job {job}" })).ToBeVisibleAsync();
        await Assertions.Expect(page.Locator("#fault")).ToBeHiddenAsync();
        Assert.Equal(2, Volatile.Read(ref asked));
        Assert.All(browser.Complaints, static complaint => Assert.Contains("503", complaint, StringComparison.Ordinal));
    }

    private static string InAnHour() =>
        Uri.EscapeDataString(DateTimeOffset.UtcNow.AddHours(1).ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", System.Globalization.CultureInfo.InvariantCulture));

    /// <summary>Presses Tab until the element with this name has the focus.</summary>
    private static async Task TabToAsync(IPage page, string name)
    {
        await Assertions.Expect(page.GetByText(name, new() { Exact = true }).Or(page.GetByLabel(name, new() { Exact = true })).First).ToBeVisibleAsync();
        for (int i = 0; i < 60; i++)
        {
            await page.Keyboard.PressAsync("Tab");
            string focused = await page.EvaluateAsync<string>(
                "() => { const e = document.activeElement; return (e.labels?.[0]?.firstChild?.textContent ?? e.getAttribute('aria-label') ?? e.textContent ?? '').trim(); }");
            if (focused == name) return;
        }
        Assert.Fail($"Nothing named '{name}' can be reached by keyboard.");
    }
}
