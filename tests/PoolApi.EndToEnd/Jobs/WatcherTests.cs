using System.Diagnostics;

namespace PoolApi.EndToEnd.Jobs;

/// <summary>Every watcher of a job is notified, however many there are.</summary>
public sealed class WatcherTests(SharedServices services, SharedPostgres postgres)
{
    private const int OfEachKind = 250;

    // The promise is 250 ms. A watcher that is not notified waits for five minutes.
    private const double Soon = 60;

    [Theory, InlineData(JobStore.Sqlite), InlineData(JobStore.Postgres)]
    public async Task Five_hundred_watchers_of_one_job_are_notified_at_once_despite_clients_that_do_not_read(JobStore store)
    {
        await using var installation = await Installation.StartAsync(store, postgres, "--Pool:Workers 1");
        var (runs, watched) = (installation.Here, installation.There);
        var id = await runs.Api.AcceptJobAsync("/v1/diagnostics/sleep?ms=600000");
        await runs.Api.SeeJobAsync(id, job => job.State == "running", "the job to run");
        long before = ProcessFacts.ResidentBytes(watched.Id);
        int count = 2 * OfEachKind;
        var clock = Stopwatch.StartNew();
        var watchers = Enumerable.Range(0, count).Select(i => i % 2 == 0 ? StreamAsync(watched, id) : PollAsync(watched, id)).ToArray();
        var deaf = new List<RawConnection>();
        for (int i = 0; i < 50; i++)
        {
            deaf.Add(await RawConnection.OpenAsync(watched.Api.Port));
            await deaf[i].SendAsync($"GET /v1/jobs/{id}/events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
        }

        await Eventually.SeesAsync(
            watched.MetricsAsync, metrics => metrics.Sum("http_server_active_requests") >= count + deaf.Count, "all watchers to be connected");
        double cancelledAt = clock.Elapsed.TotalSeconds;
        (await runs.Api.CancelJobAsync(id)).MustBe(202);
        var ends = await Task.WhenAll(watchers);

        long grown = ProcessFacts.ResidentBytes(watched.Id) - before;
        var output = TestContext.Current.TestOutputHelper!;
        double last = ends.Max() - cancelledAt;
        output.WriteLine($"{ends.Length} notified within {1000 * last:F0} ms; {grown / 1_000_000} MB more");
        Assert.InRange(last, 0, Soon);
        // The limit is generous: about a quarter of a megabyte for each watcher.
        Assert.InRange(grown, long.MinValue, 128_000_000);
        deaf.ForEach(connection => connection.Dispose());
        await Eventually.SeesAsync(watched.MetricsAsync, metrics => metrics.Sum("http_server_active_requests") <= 1, "the end of all requests");

        async Task<double> StreamAsync(PoolApiProcess service, Guid job)
        {
            string text = await service.Api.ReadToEndAsync($"/v1/jobs/{job}/events", static () => { });
            double at = clock.Elapsed.TotalSeconds;
            Assert.Contains("\"state\":\"cancelled\"", text[text.LastIndexOf("data:", StringComparison.Ordinal)..], StringComparison.Ordinal);
            return at;
        }

        async Task<double> PollAsync(PoolApiProcess service, Guid job)
        {
            var answer = await service.Api.GetWithAsync($"/v1/jobs/{job}", "Prefer: wait=300");
            double at = clock.Elapsed.TotalSeconds;
            Assert.Equal("cancelled", JobView.Read(answer.Json()).State);
            return at;
        }
    }

    [Theory, ClassData(typeof(OneForm))]
    public async Task A_stream_sends_state_and_progress_of_a_job_and_a_reconnect_gets_the_latest_event(ServiceForm form)
    {
        var service = await services.InAsync(form);
        var id = await service.Api.AcceptJobAsync(PoolApiProcess.Sleep(900));

        var events = ReadEvents(await service.Api.ReadToEndAsync($"/v1/jobs/{id}/events", static () => { }));

        Assert.Equal("succeeded", events[^1].Job.State);
        Assert.All(events[..^1], each => Assert.False(each.Job.HasEnded));
        Assert.Contains(events, each => each.Job.Json.GetProperty("progress") is { ValueKind: System.Text.Json.JsonValueKind.Number } p && p.GetDouble() is > 0 and < 1);
        Assert.Equal(events.Select(each => each.Id).Order().Distinct(), events.Select(each => each.Id));

        var middle = events[events.Count / 2];
        var rest = ReadEvents((await service.Api.GetWithAsync($"/v1/jobs/{id}/events", $"Last-Event-ID: {middle.Id}")).MustBe(200).Text);
        Assert.Equal(events[^1].Id, Assert.Single(rest).Id);
        (await service.Api.GetWithAsync($"/v1/jobs/{id}/events", $"Last-Event-ID: {events[^1].Id}")).MustBe(204); // so that browsers do not reconnect
    }

    [Fact]
    public async Task A_stop_answers_waiting_watchers_and_is_not_delayed_by_them()
    {
        await using var service = await PoolApiProcess.StartAsync(ServiceForm.NativeAot, "--Pool:Workers 1", $"--Shutdown:LameDuck {StopTimes.LameDuck:c}", "--Shutdown:Drain 00:05:00", PoolApiProcess.Diagnostics);
        var id = await service.Api.AcceptJobAsync("/v1/diagnostics/noop", $"Job-Run-At: {DateTimeOffset.UtcNow.AddHours(1):O}");
        var begun = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var stream = service.Api.ReadToEndAsync($"/v1/jobs/{id}/events", begun.SetResult);
        var poll = service.Api.GetWithAsync($"/v1/jobs/{id}", "Prefer: wait=300");
        var asynchronous = service.Api.PostWithAsync(
            "/v1/diagnostics/noop", null, "Prefer: respond-async, wait=300", $"Job-Run-At: {DateTimeOffset.UtcNow.AddHours(1):O}");
        await begun.Task.Patiently();
        await Eventually.SeesAsync(service.MetricsAsync, metrics => metrics.Sum("http_server_active_requests") >= 3 + 1, "all waiting requests"); // a scrape counts itself

        var clock = Stopwatch.StartNew();
        service.Send(UnixSignal.Terminate);

        Assert.Equal("queued", JobView.Read((await poll).MustBe(200).Json()).State);
        Assert.Equal("queued", ReadEvents(await stream)[^1].Job.State);
        JobRequests.IdOf(await asynchronous);
        Assert.Equal(0, (await service.ReadSummaryAsync()).Exit);
        // The lame duck, and next to nothing of the five minutes of the drain.
        Assert.InRange(clock.Elapsed.TotalSeconds, 0, 60);
    }

    private static List<(long Id, JobView Job)> ReadEvents(string text)
    {
        var events = new List<(long, JobView)>();
        foreach (string block in text.Split("\n\n", StringSplitOptions.RemoveEmptyEntries))
        {
            var fields = block.Split('\n', StringSplitOptions.RemoveEmptyEntries)
                .Where(line => line[0] != ':')
                .Select(line => line.Split(':', 2))
                .ToDictionary(parts => parts[0], parts => parts[1].TrimStart());
            if (fields.Count == 0)
                continue;
            Assert.Equal("job", fields["event"]);
            using var job = System.Text.Json.JsonDocument.Parse(fields["data"]);
            events.Add((long.Parse(fields["id"], System.Globalization.CultureInfo.InvariantCulture), JobView.Read(job.RootElement.Clone())));
        }

        return events;
    }
}
