using System.Net.Http.Headers;

namespace PoolApi.EndToEnd.Load;

/// <summary>P3: the queue is bounded in number, in time and in bytes. A request that does not fit is refused at once, with the reason.</summary>
public sealed class AdmissionTests
{
    [Theory, ClassData(typeof(OneForm))]
    public async Task A_full_queue_refuses_a_request_at_once_with_Retry_After(ServiceForm form)
    {
        await using var service = await PoolApiProcess.StartAsync(
            form, "--Pool:Workers 1", "--Pool:QueueCapacity 2", PoolApiProcess.Diagnostics);
        var running = await service.OccupyAsync(1, 2500);
        var waiting = await service.QueueAsync(2, 10);

        var refused = await service.Api.PostAsync("/v1/diagnostics/noop");

        refused.MustBeProblem(503, "queue-full");
        refused.MustSayRetryAfter();
        Assert.False(running[0].IsCompleted, "the refusal waited for the work");
        // A request that does not use the pool is not refused.
        (await service.Api.PostAsync("/v1/diagnostics/inline")).MustBe(200);
        foreach (var answer in await Task.WhenAll([.. running, .. waiting]))
            answer.MustBe(200);
        Assert.Equal(new ShutdownSummary(0, 3, 3, 0, 0, 0, 0, 0, 0, 1, 1), await service.StopAsync());
    }

    [Fact]
    public async Task A_request_that_waits_longer_than_MaxQueueTime_expires_without_running()
    {
        await using var service = await PoolApiProcess.StartAsync(
            ServiceForm.Any, "--Pool:Workers 1", $"--Pool:MaxQueueTime {MachineLoad.Stretch(TimeSpan.FromSeconds(0.3)):c}", PoolApiProcess.Diagnostics);
        var running = await service.OccupyAsync(1, 1500);

        var expired = await service.Api.PostAsync("/v1/diagnostics/noop");

        expired.MustBeProblem(503, "expired");
        expired.MustSayRetryAfter();
        (await running[0]).MustBe(200);
        var summary = await service.StopAsync();
        Assert.Equal((2, 1, 1), (summary.Accepted, summary.Completed, summary.Expired));
        summary.MustAddUp();
    }

    [Theory, ClassData(typeof(OneForm))]
    public async Task QueueBytes_limits_the_total_size_of_queued_bodies(ServiceForm form)
    {
        await using var service = await PoolApiProcess.StartAsync(
            form, "--Pool:Workers 1", "--Pool:QueueCapacity 100", "--Pool:QueueBytes 2097152", PoolApiProcess.Diagnostics);
        var running = await service.OccupyAsync(1, 3000);
        byte[] body = Png.OfSize(1 << 20);
        var waiting = new List<Task<Answer>>();
        for (int i = 0; i < 2; i++)
            waiting.Add(service.Api.PostPngAsync("/v1/thumbnails?width=8", body));
        await service.SeeWorkersAsync(view => view.QueueLength == 2 && view.QueueBytes == 2 << 20, "two bodies of a megabyte in the queue");

        var refused = await service.Api.PostPngAsync("/v1/thumbnails?width=8", body);

        refused.MustBeProblem(503, "overloaded");
        refused.MustSayRetryAfter();
        Assert.False(running[0].IsCompleted, "the refusal waited for the work");
        (await running[0]).MustBe(200);
        foreach (var answer in await Task.WhenAll(waiting))
            answer.MustBe(200);
        await service.SeeWorkersAsync(view => view.AllIdle && view.QueueBytes == 0, "all bytes given back");
        (await service.Api.PostPngAsync("/v1/thumbnails?width=8", Png.Gradient(600, 600))).MustBe(200);
    }

    [Fact]
    public async Task Chunked_bodies_beyond_QueueBytes_are_refused_at_once()
    {
        await using var service = await PoolApiProcess.StartAsync(
            ServiceForm.Any,
            "--Pool:Workers 1", "--Pool:QueueCapacity 100", "--Pool:QueueBytes 2097152", PoolApiProcess.Diagnostics);
        var running = await service.OccupyAsync(1, 3000);
        byte[] body = Png.OfSize(1 << 20);
        var waiting = Enumerable.Range(0, 5).Select(_ => service.Api.SendAsync(Chunked(body))).ToArray();

        // At most two bodies fit in the queue. The service refuses the others while the worker is still busy.
        var refused = new List<Answer>();
        var left = waiting.ToList();
        while (refused.Count < 3)
        {
            var done = await Task.WhenAny(left);
            left.Remove(done);
            refused.Add(await done);
        }

        Assert.False(running[0].IsCompleted, "the refusals waited for the work");
        Assert.All(refused, answer => answer.MustBeProblem(503, "overloaded"));
        await Task.WhenAll(left);
        (await running[0]).MustBe(200);
        await service.SeeWorkersAsync(view => view.AllIdle && view.QueueBytes == 0, "all bytes given back");
    }

    [Theory, ClassData(typeof(OneForm))]
    public async Task The_request_of_a_client_that_disconnects_while_queued_never_runs_and_frees_its_place(ServiceForm form)
    {
        await using var service = await PoolApiProcess.StartAsync(
            form, "--Pool:Workers 1", "--Pool:QueueCapacity 1", PoolApiProcess.Diagnostics);
        var running = await service.OccupyAsync(1, 3000);
        using var leaving = new CancellationTokenSource();
        var left = service.Api.PostUntilAsync("/v1/diagnostics/sleep?ms=60000", leaving.Token);
        await service.SeeWorkersAsync(view => view.QueueLength == 1, "one in the queue");

        await leaving.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => left);
        await service.SeeWorkersAsync(view => view.QueueLength == 0, "an empty queue");
        Assert.False(running[0].IsCompleted, "the place was free only after the work");
        (await service.Api.PostAsync("/v1/diagnostics/noop")).MustBe(200);
        (await running[0]).MustBe(200);
        var summary = await service.StopAsync();
        Assert.Equal(new ShutdownSummary(0, 3, 2, 0, 0, 0, 1, 0, 0, 1, 1), summary);
    }

    [Fact]
    public async Task Running_work_is_cancelled_when_its_client_disconnects()
    {
        await using var service = await PoolApiProcess.StartAsync(
            ServiceForm.Any, "--Pool:Workers 1", PoolApiProcess.Diagnostics);
        using var leaving = new CancellationTokenSource();
        var left = service.Api.PostUntilAsync("/v1/diagnostics/sleep?ms=60000", leaving.Token);
        await service.SeeWorkersAsync(view => view.Busy == 1, "a busy worker");

        await leaving.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => left);
        await service.SeeWorkersAsync(view => view.AllIdle, "an idle worker, long before the sleep was over");
        var summary = await service.StopAsync();
        Assert.Equal((0, 1, 0), (summary.Exit, summary.Accepted, summary.Completed));
        summary.MustAddUp();
    }

    [Fact]
    public async Task Server_Timing_reports_queue_time_and_run_time_separately()
    {
        await using var service = await PoolApiProcess.StartAsync(
            ServiceForm.Any, "--Pool:Workers 1", PoolApiProcess.Diagnostics);
        var first = await service.OccupyAsync(1, 1000);
        var second = await service.QueueAsync(1, 200);

        var (_, ranFirst) = ServerTiming.MustBeComplete((await first[0]).MustBe(200), "cpu", 1);
        var (waited, ran) = ServerTiming.MustBeComplete((await second[0]).MustBe(200), "cpu", 1);

        Assert.InRange(ranFirst, 990, MachineLoad.Stretch(20_000));
        Assert.InRange(waited, 1, ranFirst);
        Assert.InRange(ran, 190, 20_000);
    }

    private static HttpRequestMessage Chunked(byte[] body)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, "/v1/thumbnails?width=8")
        {
            Content = new ByteArrayContent(body) { Headers = { ContentType = new MediaTypeHeaderValue("image/png") } },
        };
        request.Headers.TransferEncodingChunked = true;
        return request;
    }
}
