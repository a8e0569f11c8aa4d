namespace PoolApi.EndToEnd.Jobs;

/// <summary>P4 and P5 together: a stop loses no job.</summary>
public sealed class JobStopTests
{
    [Theory, ClassData(typeof(OneForm))]
    public async Task A_job_posted_in_lame_duck_is_durable_and_runs_after_the_next_start(ServiceForm form)
    {
        using var data = new TemporaryFolder();
        Guid id;
        await using (var first = await StartAsync(form, data, "--Pool:Workers 1", "--Jobs:Share 0", $"--Shutdown:LameDuck {MachineLoad.Stretch(TimeSpan.FromSeconds(1)):c}"))
        {
            // No worker is free before the drain, and in the drain no job is claimed.
            var busy = await first.OccupyAsync(1, 2500);
            first.Send(UnixSignal.Terminate);
            await first.WaitForLineAsync("Shutdown: LameDuck");
            id = await first.Api.AcceptJobAsync("/v1/diagnostics/noop");
            await first.WaitForLineAsync("Shutdown: Draining");
            (await first.Api.PostWithAsync("/v1/diagnostics/noop", null, "Prefer: respond-async")).MustBeProblem(503, "draining");
            (await busy[0]).MustBe(200);
            var summary = await first.ReadSummaryAsync();
            summary.MustAddUp();
            Assert.Equal((0, 1), (summary.Exit, summary.Completed));
        }

        await using var second = await StartAsync(form, data, "--Pool:Workers 1");

        var job = await second.Api.JobEndsAsync(id);
        Assert.Equal(("succeeded", 1), (job.State, job.Attempt));
        Assert.True(job.IsOf(second), job.ToString());
    }

    [Fact]
    public async Task A_stop_finishes_running_jobs_and_hands_back_those_that_cannot_finish_without_counting_an_attempt()
    {
        using var data = new TemporaryFolder();
        Guid quick, endless;
        int milliseconds = PoolApiProcess.SleepTime(900);
        var drain = TimeSpan.FromMilliseconds(milliseconds + 600);
        await using (var first = await StartAsync(ServiceForm.NativeAot, data, "--Pool:Workers 2", $"--Shutdown:Drain {drain:c}", "--Shutdown:Cancel 00:05:00"))
        {
            quick = await first.Api.AcceptJobAsync($"/v1/diagnostics/sleep?ms={milliseconds}");
            endless = await first.Api.AcceptJobAsync("/v1/diagnostics/sleep?ms=600000");
            await first.SeeWorkersAsync(view => view.Busy == 2, "both to run");
            first.Send(UnixSignal.Terminate);
            var summary = await first.ReadSummaryAsync();
            summary.MustAddUp();
            // The endless job counts as cancelled in the pool, but it is not lost: it stays in the store.
            TestContext.Current.TestOutputHelper!.WriteLine(summary.ToString());
            Assert.Equal((2, 1, 1), (summary.Accepted, summary.Completed, summary.Cancelled));
        }

        await using var second = await StartAsync(ServiceForm.NativeAot, data, "--Pool:Workers 2");
        var done = await second.Api.JobAsync(quick);
        Assert.Equal(("succeeded", 1), (done.State, done.Attempt));
        Assert.False(done.IsOf(second));
        Assert.Equal("done\n", (await second.Api.ResultAsync(quick)).MustBe(200).Text);
        var again = await second.Api.SeeJobAsync(endless, job => job.State == "running", "the job to run on the second instance");
        Assert.Equal(1, again.Attempt);
        Assert.True(again.IsOf(second), again.ToString());
    }

    [Theory, ClassData(typeof(OneForm))]
    public async Task A_queued_request_with_a_key_gets_503_at_the_stop_and_runs_once_after_restart(ServiceForm form)
    {
        using var data = new TemporaryFolder();
        await using (var first = await StartAsync(form, data, "--Pool:Workers 1", "--Jobs:Share 0", "--Shutdown:LameDuck 00:00:00"))
        {
            var busy = await first.OccupyAsync(1, 6000);
            var request = first.Api.PostWithAsync("/v1/diagnostics/noop", null, "Idempotency-Key: \"at-the-stop\"");
            await Eventually.SeesAsync(first.MetricsAsync, metrics => metrics.Sum("poolapi_queue_length") == 1, "the request to wait in the pool");
            first.Send(UnixSignal.Terminate);
            var answer = await request;
            answer.MustBeProblem(503, "draining");
            answer.MustSayRetryAfter();
            Assert.False(busy[0].IsCompleted);
            (await busy[0]).MustBe(200);
            Assert.Equal(0, (await first.ReadSummaryAsync()).Exit);
        }

        await using var second = await StartAsync(form, data, "--Pool:Workers 1");
        var job = Assert.Single(await second.Api.JobsAsync("kind=diagnostics/noop"));
        Assert.Equal(1, (await second.Api.JobEndsAsync(job.Id)).Attempt);
        (await second.Api.PostWithAsync("/v1/diagnostics/noop", null, "Idempotency-Key: \"at-the-stop\"")).MustBe(200);
        Assert.Single(await second.Api.JobsAsync("kind=diagnostics/noop"));
    }

    [Theory, ClassData(typeof(OneForm))]
    public async Task A_restart_under_load_loses_no_job_and_runs_none_twice(ServiceForm form)
    {
        using var data = new TemporaryFolder();
        PoolApiProcess? now = null;
        await using var clients = new CarefulClients(6, "/v1/diagnostics/sleep?ms=4", () => Volatile.Read(ref now)?.Api.Port);
        double run = 0;
        for (int i = 0; i < 2; i++)
        {
            await using var service = await StartAsync(form, data, "--Pool:Workers 2");
            Volatile.Write(ref now, service);
            await clients.GoOnAsync();
            var summary = await service.StopAsync();
            Volatile.Write(ref now, null);
            summary.MustAddUp();
            Assert.Equal((0, summary.Accepted), (summary.Exit, summary.Completed + summary.NotStarted + summary.Cancelled));
            run += summary.Completed;
        }

        await using var last = await StartAsync(form, data, "--Pool:Workers 2");
        Volatile.Write(ref now, last);
        await clients.FinishAsync();
        var all = await last.Api.AllJobsEndAsync(clients.Tag);
        clients.MustBe(all);
        Assert.All(all, job => Assert.Equal(1, job.Attempt));
        Assert.Equal(all.Count, run + (await last.StopAsync()).Completed);
    }

    /// <summary>After a stop, a copy of the file alone is a complete backup.</summary>
    [Fact]
    public async Task After_a_stop_under_load_the_file_alone_has_every_job()
    {
        using var data = new TemporaryFolder();
        using var copy = new TemporaryFolder();
        PoolApiProcess? now = null;
        await using var clients = new CarefulClients(6, "/v1/diagnostics/sleep?ms=4", () => Volatile.Read(ref now)?.Api.Port);
        for (int i = 0; i < 3; i++)
        {
            await using var service = await StartAsync(ServiceForm.Any, data, "--Pool:Workers 2");
            Volatile.Write(ref now, service);
            await clients.GoOnAsync();
            Assert.Equal(0, (await service.StopAsync()).Exit);
            Volatile.Write(ref now, null);
            Assert.Equal(["jobs.db", "jobs.db-owner"], Directory.GetFiles(data.Path).Select(Path.GetFileName).Order());
        }

        File.Copy(Path.Combine(data.Path, "jobs.db"), Path.Combine(copy.Path, "jobs.db"));
        await using var last = await StartAsync(ServiceForm.Any, copy, "--Pool:Workers 2");
        Volatile.Write(ref now, last);
        await clients.FinishAsync();
        clients.MustBe(await last.Api.AllJobsEndAsync(clients.Tag));
    }

    [Fact]
    public async Task A_stop_that_cannot_write_the_end_of_a_job_logs_it_and_exits_with_3()
    {
        using var data = new TemporaryFolder();
        // The service repeats the write of the job's end until the deadline of the drain.
        var drain = TimeSpan.FromMilliseconds(PoolApiProcess.SleepTime(1500) + 2000);
        await using var service = await StartAsync(ServiceForm.Any, data, "--Pool:Workers 1", $"--Shutdown:Drain {drain:c}");
        await service.WaitForLineAsync($"Jobs are kept in the file {Path.Combine(data.Path, "jobs.db")}");
        var id = await service.Api.AcceptJobAsync(PoolApiProcess.Sleep(1500));
        await service.SeeWorkersAsync(view => view.Busy == 1, "the job to run");
        File.Delete(Path.Combine(data.Path, "jobs.db"));

        Assert.Equal(3, (await service.StopAsync()).Exit);

        Assert.Contains(service.Log.Lines, line => line.Contains($"The end of job {id} could not be written before the stop", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_drain_waits_for_an_unavailable_store_and_then_writes_the_end_of_a_job()
    {
        using var data = new TemporaryFolder();
        string file = Path.Combine(data.Path, "jobs.db"), aside = Path.Combine(data.Path, "aside");
        Guid id;
        await using (var first = await StartAsync(ServiceForm.Any, data, "--Pool:Workers 1", "--Shutdown:LameDuck 00:00:00", "--Shutdown:Drain 00:05:00"))
        {
            id = await first.Api.AcceptJobAsync(PoolApiProcess.Sleep(1500));
            await first.SeeWorkersAsync(view => view.Busy == 1, "the job to run");
            File.Move(file, aside);
            first.Send(UnixSignal.Terminate);
            await first.WaitForLineAsync("The job store cannot be used");
            await Task.Delay(TimeSpan.FromSeconds(5), TestContext.Current.CancellationToken); // longer than the minimum time for the last writes
            File.Move(aside, file);
            Assert.Equal(0, (await first.ReadSummaryAsync()).Exit);
        }

        await using var second = await StartAsync(ServiceForm.Any, data, "--Pool:Workers 1");
        var done = await second.Api.JobAsync(id);
        Assert.Equal(("succeeded", 1), (done.State, done.Attempt));
        Assert.False(done.IsOf(second));
    }

    private static Task<PoolApiProcess> StartAsync(ServiceForm form, TemporaryFolder data, params string[] settings) =>
        PoolApiProcess.StartAsync(form, [PoolApiProcess.Diagnostics, $"--Jobs:Path {Path.Combine(data.Path, "jobs.db")}", .. settings]);
}
