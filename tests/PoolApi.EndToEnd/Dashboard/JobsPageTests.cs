using Microsoft.Playwright;

namespace PoolApi.EndToEnd.Dashboard;

/// <summary>The pages of the jobs: found, opened, cancelled and retried, by keyboard alone too.</summary>
public sealed class JobsPageTests
{
    [Fact]
    public async Task A_job_is_found_opened_and_cancelled_by_keyboard_alone()
    {
        await using var service = await PoolApiProcess.StartAsync(ServiceForm.FrameworkDependent, "--Pool:Workers 2", PoolApiProcess.Diagnostics);
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
    public async Task The_ten_jobs_of_a_filter_are_retried_at_once_after_a_question_that_names_their_number()
    {
        await using var service = await PoolApiProcess.StartAsync(ServiceForm.FrameworkDependent, "--Pool:Workers 2", PoolApiProcess.Diagnostics);
        var ids = new List<Guid>();
        string later = Uri.EscapeDataString(DateTimeOffset.UtcNow.AddHours(1).ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", System.Globalization.CultureInfo.InvariantCulture));
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
        await using var service = await PoolApiProcess.StartAsync(ServiceForm.FrameworkDependent, "--Pool:Workers 2", PoolApiProcess.Diagnostics);
        await using var browser = await DashboardBrowser.OpenAsync(service, "/jobs");
        await Assertions.Expect(browser.Page.Locator("#empty")).ToContainTextAsync("No jobs yet");
        Guid id = await service.Api.AcceptJobAsync("/v1/diagnostics/sleep?ms=2000");
        ILocator row = browser.Page.Locator($"tr[data-job='{id}']");
        await Assertions.Expect(row).ToContainTextAsync("running");
        await Assertions.Expect(row).ToContainTextAsync("succeeded");
        Assert.Empty(browser.Complaints);
    }

    /// <summary>Tabs on until the focus is on what has this name.</summary>
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
