using System.Globalization;
using System.Text.RegularExpressions;
using Microsoft.Playwright;

namespace PoolApi.EndToEnd.Dashboard;

/// <summary>The page of the pools shows live what every worker does, and how the service stops.</summary>
public sealed partial class PoolsPageTests
{
    [Theory, ClassData(typeof(OneForm))]
    public async Task A_lane_shows_its_worker_busy_then_idle_and_the_keyboard_reaches_its_piece(ServiceForm form)
    {
        await using var service = await PoolApiProcess.StartAsync(form, "--Pool:Workers 3", PoolApiProcess.Diagnostics);
        await using var browser = await DashboardBrowser.OpenAsync(service, motion: ReducedMotion.NoPreference);
        for (int id = 0; id < 3; id++)
            await Assertions.Expect(browser.Worker($"cpu-{id}")).ToContainTextAsync("idle");

        var running = await service.OccupyAsync(1, 4000);
        string name = (await service.WorkersAsync()).Workers.Single(static worker => worker.State == "busy").Name;
        ILocator lane = browser.Worker(name);
        await Assertions.Expect(lane).ToHaveAttributeAsync("data-state", "busy");
        await Assertions.Expect(lane).ToContainTextAsync("diagnostics/sleep");
        await Assertions.Expect(lane).ToContainTextAsync("blocked");
        (await running[0]).MustBe(200);
        await Assertions.Expect(lane).ToContainTextAsync("idle");

        ILocator strip = lane.GetByRole(AriaRole.Slider);
        await Assertions.Expect(strip).ToHaveAttributeAsync("aria-valuetext", Keys());
        await strip.FocusAsync();
        // The page gets the piece a moment after it shows the worker as idle. Until then the key selects nothing.
        await Eventually.SeesAsync(
            async () =>
            {
                await browser.Page.Keyboard.PressAsync("ArrowLeft");
                return await strip.GetAttributeAsync("aria-valuetext") ?? "";
            },
            text => Piece().IsMatch(text), "the piece on the lane");
        await Assertions.Expect(browser.Page.Locator(".tip")).ToContainTextAsync("completed");

        // A table has the same pieces as the strip.
        await browser.Page.GetByRole(AriaRole.Button, new() { Name = $"{name}: list what it did" }).ClickAsync();
        await Assertions.Expect(browser.Page.GetByRole(AriaRole.Dialog)).ToContainTextAsync("diagnostics/sleep");
        await browser.Page.Keyboard.PressAsync("Escape");
        await Assertions.Expect(browser.Page.GetByRole(AriaRole.Dialog)).ToHaveCountAsync(0);
        Assert.Empty(browser.Complaints);
    }

    [Fact]
    public async Task A_strip_moves_while_it_shows_something_and_rests_while_it_is_empty()
    {
        await using var service = await PoolApiProcess.StartAsync(ServiceForm.Any, "--Pool:Workers 2", PoolApiProcess.Diagnostics);
        await using var browser = await DashboardBrowser.OpenAsync(service, motion: ReducedMotion.NoPreference);
        // Five minutes: the piece is still on its strip at the end of the test, on a busy machine too.
        await browser.Page.Locator("[data-span='300']").ClickAsync();
        (await service.Api.PostAsync("/v1/diagnostics/sleep?ms=50")).MustBe(200);
        // The page draws both strips at once. The empty strip of the other worker must not move.
        await SeesStripsAsync(browser, "1 moves, 1 shows something");

        await browser.Page.GetByRole(AriaRole.Button, new() { Name = "Pause" }).ClickAsync();
        await SeesStripsAsync(browser, "0 moves, 1 shows something");
        // The page goes back to the five minutes before the work. The strip becomes empty and is cleared.
        await browser.Page.GetByLabel("Back in time").FocusAsync();
        await browser.Page.Keyboard.PressAsync("Home");
        await SeesStripsAsync(browser, "0 moves, 0 shows something");
        await browser.Page.GetByRole(AriaRole.Button, new() { Name = "Go on" }).ClickAsync();
        await SeesStripsAsync(browser, "1 moves, 1 shows something");
        Assert.Empty(browser.Complaints);
    }

    [Fact]
    public async Task The_page_shows_the_numbers_of_the_workers_view()
    {
        await using var service = await PoolApiProcess.StartAsync(ServiceForm.Any, "--Pool:Workers 2", "--Pool:MaxQueueTime 00:10:00", PoolApiProcess.Diagnostics);
        await using var browser = await DashboardBrowser.OpenAsync(service);
        var running = await service.OccupyAsync(2, 60_000);
        var waiting = await service.QueueAsync(5, 1);
        WorkersView view = await service.SeeWorkersAsync(static v => v.Busy == 2 && v.QueueLength == 5, "2 busy, 5 waiting");
        ILocator figures = browser.Page.Locator("dl.figures").First;
        await Assertions.Expect(figures).ToContainTextAsync($"{view.Busy} of {view.Workers.Count}");
        await Assertions.Expect(figures).ToContainTextAsync($"{view.QueueLength} of 1,024");
        await Assertions.Expect(browser.Page.Locator("#state")).ToHaveTextAsync("running");
        Assert.Empty(browser.Complaints);
        await browser.Page.CloseAsync();
        await service.KillAsync();
        Assert.All(await Task.WhenAll(running.Concat(waiting).Select(CutAsync)), Assert.True);
    }

    [Fact]
    public async Task The_first_minute_panel_sends_work_and_a_paused_page_steps_back_in_time()
    {
        await using var service = await PoolApiProcess.StartAsync(ServiceForm.Any, "--Pool:Workers 4", PoolApiProcess.Diagnostics);
        await using var browser = await DashboardBrowser.OpenAsync(service);
        await browser.Page.GetByRole(AriaRole.Button, new() { Name = "A burst" }).ClickAsync();
        await Assertions.Expect(browser.Page.Locator("#first-minute")).ToContainTextAsync("Sent 60 items.");
        await Assertions.Expect(browser.Page.Locator(".legend").First).ToContainTextAsync("diagnostics/hash");
        await Assertions.Expect(browser.Page.Locator("#actions")).ToContainTextAsync("Send work: A burst");

        await browser.Page.GetByRole(AriaRole.Button, new() { Name = "Pause" }).ClickAsync();
        ILocator back = browser.Page.GetByLabel("Back in time");
        await back.FocusAsync();
        for (int i = 0; i < 5; i++) await browser.Page.Keyboard.PressAsync("ArrowLeft");
        await Assertions.Expect(back).ToHaveAttributeAsync("aria-valuetext", FiveSeconds());
        await browser.Page.GetByRole(AriaRole.Button, new() { Name = "Go on" }).ClickAsync();
        await Assertions.Expect(back).ToHaveAttributeAsync("aria-valuetext", "now");
        Assert.Empty(browser.Complaints);
    }

    [Fact]
    public async Task Where_changes_need_a_key_the_page_asks_for_it_once()
    {
        const string Admin = "the-admins-own-key-1";
        await using var service = await PoolApiProcess.StartAsync(
            ServiceForm.Any, onePort: false,
            new Dictionary<string, string> { ["Auth__ApiKeys__admin__Key"] = Admin, ["Auth__ApiKeys__admin__Role"] = "admin" },
            "--Pool:Workers 2", PoolApiProcess.Diagnostics);
        await using var browser = await DashboardBrowser.OpenAsync(service);
        ILocator burst = browser.Page.GetByRole(AriaRole.Button, new() { Name = "A burst" });
        await burst.ClickAsync();
        await browser.Page.GetByLabel("Changes need a key").FillAsync(Admin);
        await browser.Page.Keyboard.PressAsync("Enter");
        await Assertions.Expect(browser.Page.Locator("#first-minute")).ToContainTextAsync("Sent 60 items.");
        await burst.ClickAsync();
        await Assertions.Expect(browser.Page.Locator("#actions tbody tr")).ToHaveCountAsync(2);
        await Assertions.Expect(browser.Page.GetByRole(AriaRole.Dialog)).ToHaveCountAsync(0);
        // The browser itself reports the 401 after which the page asks for the key.
        Assert.Contains("401", Assert.Single(browser.Complaints), StringComparison.Ordinal);
    }

    [Fact]
    public async Task With_diagnostics_off_the_page_has_no_work_buttons_and_the_work_route_answers_404()
    {
        await using var service = await PoolApiProcess.StartAsync(ServiceForm.Any);
        await using var browser = await DashboardBrowser.OpenAsync(service);
        await Assertions.Expect(browser.Page.Locator("dl.figures")).ToHaveCountAsync(1);
        await Assertions.Expect(browser.Page.Locator("#first-minute button")).ToHaveCountAsync(0);
        (await service.Management.PostAsync("/work/burst")).MustBe(404);
    }

    [Fact]
    public async Task A_banner_reports_the_stop_and_then_when_the_server_was_last_seen()
    {
        await using var service = await PoolApiProcess.StartAsync(ServiceForm.Any, "--Pool:Workers 2", PoolApiProcess.Diagnostics);
        await using var browser = await DashboardBrowser.OpenAsync(service);
        await Assertions.Expect(browser.Worker("cpu-0")).ToContainTextAsync("idle");
        var running = await service.OccupyAsync(1, 6000);
        service.Send(UnixSignal.Terminate);
        ILocator banner = browser.Page.Locator("#banner");
        await Assertions.Expect(banner).ToContainTextAsync("The server stops: draining");
        await Assertions.Expect(banner).ToContainTextAsync("Reason: SIGTERM");
        await Assertions.Expect(banner).ToContainTextAsync(LeftOver());
        // This text changes twice a second. A screen reader that announced each change would announce nothing else.
        await Assertions.Expect(banner.Locator(".rest")).ToHaveAttributeAsync("aria-live", "off");
        await browser.PictureAsync("pools-stopping");
        (await running[0]).MustBe(200);
        await service.WaitForExitAsync();
        await Assertions.Expect(banner).ToContainTextAsync("The server is gone");
        await Assertions.Expect(banner).ToContainTextAsync(LastSeen());
        await Assertions.Expect(browser.Page.Locator("#state")).ToHaveTextAsync("gone");
        // The page no longer has current data, so the strips end at a clock time and not at "now".
        await Assertions.Expect(browser.Page.Locator(".ruler span").Last).ToHaveTextAsync(Clock());
        await browser.PictureAsync("pools-gone");
        Assert.Empty(browser.Complaints);
    }

    [Fact]
    public async Task The_list_of_workers_is_split_into_pages_of_64()
    {
        await using var service = await PoolApiProcess.StartAsync(ServiceForm.Any, "--Pool:Workers 70", PoolApiProcess.Diagnostics);
        await using var browser = await DashboardBrowser.OpenAsync(service);
        await Assertions.Expect(browser.Page.Locator("tr[data-worker]")).ToHaveCountAsync(64);
        await browser.Page.GetByRole(AriaRole.Button, new() { Name = "Next" }).ClickAsync();
        await Assertions.Expect(browser.Page.Locator("tr[data-worker]")).ToHaveCountAsync(6);
        await Assertions.Expect(browser.Worker(string.Create(CultureInfo.InvariantCulture, $"cpu-{69}"))).ToBeVisibleAsync();
        Assert.Empty(browser.Complaints);
    }

    [Theory]
    [InlineData(502, "no response", "The server is gone")]
    [InlineData(302, "not allowed: sign in and reload", null)]
    public async Task The_page_does_not_mistake_a_response_of_a_proxy_for_one_of_the_server(int status, string said, string? banner)
    {
        await using var service = await PoolApiProcess.StartAsync(ServiceForm.Any, "--Pool:Workers 2", PoolApiProcess.Diagnostics);
        await using var way = new TcpForwarder(service.Management.Port);
        await using var browser = await DashboardBrowser.OpenAsync(way.Url);
        IPage page = browser.Page;
        // An error page of the proxy, and its sign-in page.
        await page.RouteAsync("**/status", route => route.FulfillAsync(
            new() { Status = status, Headers = new Dictionary<string, string> { ["Location"] = $"{way.Url}/sign-in" }, ContentType = "text/html", Body = "<p>Not here.</p>" }));
        await page.RouteAsync("**/sign-in", static route => route.FulfillAsync(new() { ContentType = "text/html", Body = "<p>Sign in.</p>" }));
        way.Cut();
        ILocator live = page.Locator("#live");
        await Assertions.Expect(live).ToHaveTextAsync(said);
        await Assertions.Expect(page.Locator("#banner")).ToHaveTextAsync(new Regex(banner ?? "^$"));

        way.Open();
        await page.UnrouteAsync("**/status");
        await Assertions.Expect(live).ToHaveTextAsync("live");
        await Assertions.Expect(page.Locator("#banner")).ToBeEmptyAsync();
        await Assertions.Expect(page.Locator("#state")).ToHaveTextAsync("running");
        Assert.All(browser.Complaints, complaint => Assert.Contains($"{status}", complaint, StringComparison.Ordinal));
    }

    [Fact]
    public async Task The_page_reports_a_silent_stream_without_a_running_count_of_seconds()
    {
        await using var service = await PoolApiProcess.StartAsync(ServiceForm.Any, "--Pool:Workers 2", PoolApiProcess.Diagnostics);
        await using var browser = await DashboardBrowser.OpenAsync(service, "/jobs");
        IPage page = browser.Page;
        await page.Clock.InstallAsync();
        await page.GotoAsync($"{service.Management.Url}/");
        await Assertions.Expect(page.Locator("#live")).ToHaveTextAsync("live");
        await page.EvaluateAsync(
            "() => { window.announced = []; const live = document.querySelector('#live'); new MutationObserver(() => window.announced.push(live.textContent)).observe(live, { subtree: true, childList: true, characterData: true }); }");
        await page.Clock.FastForwardAsync(30_000);
        Assert.Equal("silent", await Eventually.SeesAsync(
            () => page.EvaluateAsync<string?>("window.announced.find(text => text.startsWith('silent'))"), static seen => seen is not null, "the stream is silent"));
        Assert.Empty(browser.Complaints);
    }

    [Fact]
    public async Task A_paused_page_keeps_the_pieces_that_it_shows_however_long_it_is_paused()
    {
        await using var service = await PoolApiProcess.StartAsync(ServiceForm.Any, "--Pool:Workers 2", PoolApiProcess.Diagnostics);
        await using var browser = await DashboardBrowser.OpenAsync(service, "/jobs");
        long now = Now();
        await using var stream = await ScriptedStream.OpenAsync(browser.Page, service, StreamEvent.Snapshot(now, StreamEvent.Piece("before", now)), After(now, minutes: 6));
        await browser.Page.GetByRole(AriaRole.Button, new() { Name = "Pause" }).ClickAsync();
        await stream.SendNextAsync();
        await browser.Page.Clock.FastForwardAsync(6000); // the page deletes old pieces every five seconds
        Assert.Contains("before", await ListAsync(browser.Page), StringComparison.Ordinal);
        Assert.Empty(browser.Complaints);
    }

    [Fact]
    public async Task A_paused_page_keeps_the_pieces_that_it_shows_when_a_snapshot_omits_them()
    {
        await using var service = await PoolApiProcess.StartAsync(ServiceForm.Any, "--Pool:Workers 2", PoolApiProcess.Diagnostics);
        await using var browser = await DashboardBrowser.OpenAsync(service, "/jobs");
        long now = Now();
        await using var stream = await ScriptedStream.OpenAsync(browser.Page, service, StreamEvent.Snapshot(now, StreamEvent.Piece("before", now)), StreamEvent.Snapshot(now + 60_000));
        await browser.Page.GetByRole(AriaRole.Button, new() { Name = "Pause" }).ClickAsync();
        await stream.SendNextAsync();
        Assert.Contains("before", await ListAsync(browser.Page), StringComparison.Ordinal);
        Assert.Empty(browser.Complaints);
    }

    [Fact]
    public async Task A_paused_page_keeps_a_removed_worker_until_the_page_resumes()
    {
        await using var service = await PoolApiProcess.StartAsync(ServiceForm.Any, "--Pool:Workers 2", PoolApiProcess.Diagnostics);
        await using var browser = await DashboardBrowser.OpenAsync(service, "/jobs");
        long now = Now();
        await using var stream = await ScriptedStream.OpenAsync(
            browser.Page, service, StreamEvent.Snapshot(now, StreamEvent.Piece("before", now)), StreamEvent.Frame(now + 1000, """ "gone":[0] """));
        await browser.Page.GetByRole(AriaRole.Button, new() { Name = "Pause" }).ClickAsync();
        await stream.SendNextAsync();
        Assert.Contains("before", await ListAsync(browser.Page), StringComparison.Ordinal);
        await browser.Page.Keyboard.PressAsync("Escape");
        await browser.Page.GetByRole(AriaRole.Button, new() { Name = "Go on" }).ClickAsync();
        await Assertions.Expect(browser.Worker("scripted-0")).ToHaveCountAsync(0);
        Assert.Empty(browser.Complaints);
    }

    [Fact]
    public async Task The_page_shows_new_work_after_the_clock_of_the_server_is_set_back()
    {
        await using var service = await PoolApiProcess.StartAsync(ServiceForm.Any, "--Pool:Workers 2", PoolApiProcess.Diagnostics);
        await using var browser = await DashboardBrowser.OpenAsync(service, "/jobs");
        long now = Now();
        await using var stream = await ScriptedStream.OpenAsync(browser.Page, service, StreamEvent.Snapshot(now, StreamEvent.Piece("before", now)), After(now, minutes: -10));
        await stream.SendNextAsync();
        Assert.Contains("after", await ListAsync(browser.Page), StringComparison.Ordinal);
        await Assertions.Expect(browser.Worker("scripted-0")).ToBeVisibleAsync();
        Assert.Empty(browser.Complaints);
    }

    [Fact]
    public async Task A_strip_marks_a_failed_item_and_not_a_suspended_one()
    {
        await using var service = await PoolApiProcess.StartAsync(ServiceForm.Any, "--Pool:Workers 2", PoolApiProcess.Diagnostics);
        await using var browser = await DashboardBrowser.OpenAsync(service, "/jobs");
        long now = Now();
        await using var stream = await ScriptedStream.OpenAsync(
            browser.Page, service,
            StreamEvent.Snapshot(now, StreamEvent.Piece("async", now - 20_000, 10_000, "suspended"), StreamEvent.Piece("sync", now - 5000, 10_000, "failed")));
        // The positions of the pixels in the colour of failures, as fractions of the strip's minute.
        double[] failed = await Eventually.SeesAsync(
            () => browser.Page.Locator("tr[data-worker='scripted-0'] .strip canvas").EvaluateAsync<double[]>(
                """
                strip => {
                  const copy = new OffscreenCanvas(strip.width, strip.height).getContext("2d", { willReadFrequently: true });
                  copy.fillStyle = getComputedStyle(document.documentElement).getPropertyValue("--bad").trim();
                  copy.fillRect(0, 0, 1, 1);
                  const bad = copy.getImageData(0, 0, 1, 1).data.join();
                  copy.clearRect(0, 0, 1, 1);
                  copy.drawImage(strip, 0, 0);
                  const at = [];
                  for (let x = 0; x < strip.width; x++) if (copy.getImageData(x, strip.height * 19 / 24, 1, 1).data.join() === bad) at.push(x / strip.width);
                  return at;
                }
                """),
            static seen => seen.Length > 0, "the mark of a failure");
        // The failed item ran from 15 s to 5 s ago, and the page's clock advances by two seconds at most.
        Assert.InRange(failed[0], 0.70, 0.76);
        Assert.InRange(failed[^1], 0.86, 0.93);
        Assert.Empty(browser.Complaints);
    }

    [Fact]
    public async Task The_page_retries_an_unreadable_history_after_a_pause_and_reports_the_fault_once()
    {
        await using var service = await PoolApiProcess.StartAsync(ServiceForm.Any, "--Pool:Workers 2", PoolApiProcess.Diagnostics);
        await using var browser = await DashboardBrowser.OpenAsync(service, "/jobs");
        IPage page = browser.Page;
        long now = Now();
        int asked = 0;
        // The first request gets the history. All later ones get a sign-in page.
        await page.RouteAsync("**/history*", route => route.FulfillAsync(Interlocked.Increment(ref asked) == 1
            ? new() { ContentType = "application/json", Body = $$"""{"pools":[{"name":"scripted","samples":[{{StreamEvent.Sample(now - 60_000)}}]}]}""" }
            : new() { ContentType = "text/html", Body = "<p>Sign in.</p>" }));
        string[] samples = [.. Enumerable.Range(1, 60).Select(second => StreamEvent.Sample(now + (second * 1000)))];
        await using var stream = await ScriptedStream.OpenAsync(
            page, service, StreamEvent.Snapshot(now), StreamEvent.Frame(now + 30_000, $""" "samples":[{string.Join(',', samples[..30])}] """),
            StreamEvent.Snapshot(now + 31_000), StreamEvent.Frame(now + 60_000, $""" "samples":[{string.Join(',', samples[31..])}] """));
        await page.EvaluateAsync(
            """
            () => {
              window.announced = [];
              const announcer = document.querySelector("#announcer");
              new MutationObserver(() => window.announced.push(announcer.textContent)).observe(announcer, { childList: true });
            }
            """);
        await page.GetByRole(AriaRole.Button, new() { Name = "1 h" }).ClickAsync();
        await AskedAsync(1);
        await page.Clock.FastForwardAsync(11_000);
        await stream.SendNextAsync();
        await AskedAsync(2);
        await stream.SendNextAsync(); // a snapshot resets the pause, so the page asks at once
        await AskedAsync(3);
        await page.Clock.FastForwardAsync(11_000);
        await stream.SendNextAsync();
        await AskedAsync(4);
        Assert.Single(await page.EvaluateAsync<string[]>("window.announced"), static text => text.Contains("JSON", StringComparison.Ordinal));
        Assert.Empty(browser.Complaints);

        async Task AskedAsync(int times)
        {
            await Eventually.SeesAsync(() => Task.FromResult(Volatile.Read(ref asked)), seen => seen >= times, $"{times} questions for the last hour");
            Assert.Equal(times, Volatile.Read(ref asked));
        }
    }

    [Fact]
    public async Task A_chart_of_the_default_canvas_width_still_gets_its_own_height()
    {
        await using var service = await PoolApiProcess.StartAsync(ServiceForm.Any, "--Pool:Workers 2", PoolApiProcess.Diagnostics);
        await using var browser = await DashboardBrowser.OpenAsync(service, "/jobs");
        // Before the charts are drawn for the first time.
        await browser.Page.AddInitScriptAsync(
            """
            new MutationObserver(() => { for (const plot of document.querySelectorAll(".plot")) plot.style.width = "300px"; })
              .observe(document, { subtree: true, childList: true });
            """);
        await browser.Page.GotoAsync($"{service.Management.Url}/");
        await Eventually.SeesAsync(
            () => browser.Page.Locator(".chart canvas").EvaluateAllAsync<string>("all => [...new Set(all.map(one => `${one.width} × ${one.height}`))].join()"),
            static seen => seen == "300 × 96", "charts of 300 × 96");
        Assert.Empty(browser.Complaints);
    }

    private static long Now() => DateTimeOffset.UtcNow.ToUnixTimeMilliseconds();

    /// <summary>A frame of some minutes later, with a piece.</summary>
    private static StreamEvent After(long now, int minutes)
    {
        long then = now + (minutes * 60_000L);
        return StreamEvent.Frame(then, $""" "workers":[],"pieces":[{StreamEvent.Piece("after", then)}] """);
    }

    /// <summary>The page's list of the pieces of worker "scripted-0".</summary>
    private static async Task<string> ListAsync(IPage page)
    {
        await page.GetByRole(AriaRole.Button, new() { Name = "scripted-0: list what it did" }).ClickAsync();
        return await page.GetByRole(AriaRole.Dialog).InnerTextAsync();
    }

    /// <summary>An event of a <see cref="ScriptedStream"/>, about the pool "scripted" with the worker "scripted-0".</summary>
    private sealed record StreamEvent(string Type, string Data)
    {
        private const string Worker = """{"id":0,"name":"scripted-0","state":"idle","since":null}""";

        public static StreamEvent Snapshot(long at, params string[] pieces) =>
            Frame(at, $""" "workers":[{Worker}],"pieces":[{string.Join(',', pieces)}],"samples":[] """) with { Type = "snapshot" };

        /// <param name="at">The time of the frame.</param>
        /// <param name="pool">The members of the pool, as JSON.</param>
        public static StreamEvent Frame(long at, string pool) =>
            new("frame", $$"""{"at":{{at}},"can":{"change":false},"pools":[{"name":"scripted",{{pool}} }]}""");

        /// <summary>A piece that ends half a second before a time.</summary>
        public static string Piece(string kind, long before) => Piece(kind, before - 500, 500, "completed");

        public static string Piece(string kind, long end, int ms, string outcome) =>
            $$"""{"worker":0,"kind":"{{kind}}","start":{{end - ms}},"ms":{{ms}},"outcome":"{{outcome}}"}""";

        public static string Sample(long at) =>
            $$"""{"at":{{at}},"utilization":0,"queue":0,"capacity":10,"queueHigh":0,"queueNormal":0,"queueLow":0,"""
            + """ "oldestMs":null,"suspended":0,"bytes":0,"accepted":0,"finished":{},"refused":{}}""";
    }

    /// <summary>A stream whose events the test writes. The first event is a snapshot. The test releases each of the others.</summary>
    private sealed class ScriptedStream : IAsyncDisposable
    {
        private readonly StreamEvent[] _events;
        private readonly TaskCompletionSource[] _isReleased, _isAsked;
        private int _sent = 1;

        private ScriptedStream(StreamEvent[] events)
        {
            _events = events;
            _isReleased = [.. Enumerable.Range(0, events.Length + 1).Select(static _ => new TaskCompletionSource())];
            _isAsked = [.. Enumerable.Range(0, events.Length + 1).Select(static _ => new TaskCompletionSource())];
        }

        public static async Task<ScriptedStream> OpenAsync(IPage page, PoolApiProcess service, params StreamEvent[] events)
        {
            var stream = new ScriptedStream(events);
            await page.RouteAsync("**/stream*", stream.AnswerAsync);
            await page.Clock.InstallAsync();
            stream._isReleased[0].SetResult();
            await page.GotoAsync($"{service.Management.Url}/");
            await Assertions.Expect(page.Locator("tr[data-worker='scripted-0']")).ToBeVisibleAsync();
            return stream;
        }

        /// <summary>Sends the next event. Waits until the page requests the event after it, which shows that the page has processed this
        /// one.</summary>
        public async Task SendNextAsync()
        {
            _isReleased[_sent].TrySetResult();
            await _isAsked[++_sent].Task.Patiently();
        }

        public ValueTask DisposeAsync()
        {
            foreach (TaskCompletionSource one in _isReleased) one.TrySetResult();
            return ValueTask.CompletedTask;
        }

        private async Task AnswerAsync(IRoute route)
        {
            string query = new Uri(route.Request.Url).Query;
            int seen = query.Length == 0 ? 0 : int.Parse(query["?after=".Length..], CultureInfo.InvariantCulture);
            _isAsked[seen].TrySetResult();
            await _isReleased[seen].Task;
            if (seen == _events.Length)
            {
                await route.AbortAsync();
                return;
            }
            var (type, data) = _events[seen];
            await route.FulfillAsync(new() { ContentType = "text/event-stream", Body = $"event: {type}\nid: {seen + 1}\ndata: {data}\n\n" });
        }
    }

    /// <summary>Waits until the wanted numbers of strips move and have a coloured pixel. A copy is read, because Chromium warns about a canvas that
    /// is read twice.</summary>
    private static Task<string> SeesStripsAsync(DashboardBrowser browser, string wanted) => Eventually.SeesAsync(
        () => browser.Page.Locator(".strip canvas").EvaluateAllAsync<string>(
            """
            strips => {
              const shows = strip => {
                const copy = new OffscreenCanvas(strip.width, strip.height).getContext("2d", { willReadFrequently: true });
                copy.drawImage(strip, 0, 0);
                return copy.getImageData(0, 0, strip.width, strip.height).data.some(part => part > 0);
              };
              return `${strips.filter(strip => strip.getAnimations().length > 0).length} moves, ${strips.filter(shows).length} shows something`;
            }
            """),
        seen => seen == wanted, wanted);

    /// <summary>Whether an answer was cut off.</summary>
    private static async Task<bool> CutAsync(Task<Answer> answer)
    {
        try
        {
            await answer;
            return false;
        }
        catch (HttpRequestException)
        {
            return true;
        }
    }

    [GeneratedRegex("Arrow keys")]
    private static partial Regex Keys();

    [GeneratedRegex("Kind: diagnostics/sleep, Queued for: .*Ran for: (?:[4-9]|[1-9][0-9]+)(?:\\.[0-9]+)? s, Outcome: completed.*Trace: [0-9a-f]{32}")]
    private static partial Regex Piece();

    [GeneratedRegex("^5.0 s back, ")]
    private static partial Regex FiveSeconds();

    [GeneratedRegex(@"^\d\d:\d\d:\d\d$")]
    private static partial Regex Clock();

    [GeneratedRegex("1 running, 0 waiting · for .* · at most .* more")]
    private static partial Regex LeftOver();

    [GeneratedRegex(@"Last seen at \d\d:\d\d:\d\d, (draining|cancelling|joining threads|flushing telemetry) \(SIGTERM\)")]
    private static partial Regex LastSeen();
}
