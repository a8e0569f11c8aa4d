namespace PoolApi.EndToEnd.Jobs;

/// <summary>P5: a job that was answered with 202 survives a SIGKILL at any moment.</summary>
public sealed class KilledTests
{
    private const int Workers = 2;

    [Fact]
    public async Task After_kills_at_random_moments_every_accepted_job_succeeds_and_only_interrupted_jobs_run_again()
    {
        int kills = LongTests.Wanted ? 50 : 5;
        int seed = Random.Shared.Next();
        var random = new Random(seed);
        var output = TestContext.Current.TestOutputHelper!;
        output.WriteLine($"seed {seed}");
        using var data = new TemporaryFolder();
        PoolApiProcess? now = null;
        await using var clients = new CarefulClients(8, "/v1/diagnostics/sleep?ms=3", () => Volatile.Read(ref now)?.Api.Port);
        var counts = new Counts();

        for (int kill = 0; kill < kills; kill++)
        {
            await using var service = await StartAsync(data);
            Volatile.Write(ref now, service);
            // Some kills come right after the start, while the service recovers the jobs of the killed one.
            await Task.Delay(random.Next(kill % 3 == 0 ? 60 : 900), TestContext.Current.CancellationToken); // the moment that is tried
            await counts.AddAsync(service);
            await service.KillAsync();
            Volatile.Write(ref now, null);
        }

        await using var last = await StartAsync(data);
        Volatile.Write(ref now, last);
        await clients.GoOnAsync();
        await clients.FinishAsync();
        var all = await last.Api.AllJobsEndAsync(clients.Tag);
        await counts.AddAsync(last);

        output.WriteLine($"{kills} kills: {clients}; begun again {counts.Redelivered}, at most {all.Max(job => job.Attempt)} attempts");
        clients.MustBe(all);
        // A job has another attempt only if the process died during the attempt before. (The metric may miss a job that begins again
        // right before the next kill.)
        Assert.InRange(all.Sum(job => job.Attempt - 1), counts.Redelivered, kills * MostAtOnce);
    }

    [Fact]
    public async Task A_job_that_a_kill_interrupts_runs_again_at_the_next_start_before_its_lease_expires()
    {
        using var data = new TemporaryFolder();
        Guid running, waiting;
        await using (var first = await StartAsync(data, "--Jobs:Lease 00:10:00"))
        {
            running = await first.Api.AcceptJobAsync(PoolApiProcess.Sleep(1500));
            await first.Api.SeeJobAsync(running, job => job.State == "running", "the job to run");
            waiting = await first.Api.AcceptJobAsync("/v1/diagnostics/noop", $"Job-Run-At: {DateTimeOffset.UtcNow.AddMilliseconds(MachineLoad.Stretch(1000)):O}");
            await first.KillAsync();
        }

        await using var second = await StartAsync(data, "--Jobs:Lease 00:10:00");

        var again = await second.Api.JobEndsAsync(running);
        Assert.Equal(("succeeded", 2), (again.State, again.Attempt));
        Assert.True(again.IsOf(second), again.ToString());
        Assert.Equal(("succeeded", 1), await EndOfAsync(second, waiting));
        Assert.Equal(1, (await second.MetricsAsync()).Sum("poolapi_job_redelivered_total", "kind=\"diagnostics/sleep\""));
    }

    [Fact]
    public async Task A_job_fails_when_its_process_dies_more_often_than_MaxRedeliveries_allows()
    {
        const int Redeliveries = 2;
        using var data = new TemporaryFolder();
        Guid? poison = null;
        for (int i = 0; i <= Redeliveries; i++)
        {
            await using var service = await StartAsync(data, $"--Jobs:MaxRedeliveries {Redeliveries}");
            poison ??= await service.Api.AcceptJobAsync("/v1/diagnostics/sleep?ms=600000");
            await service.Api.SeeJobAsync(poison.Value, job => job.State == "running" && job.IsOf(service), "the job to run here");
            await service.KillAsync();
        }

        await using var last = await StartAsync(data, $"--Jobs:MaxRedeliveries {Redeliveries}");

        var job = await last.Api.JobEndsAsync(poison!.Value);
        Assert.Equal(("failed", Redeliveries + 1), (job.State, job.Attempt));
        Assert.NotNull(job.Error);
        await last.SeeWorkersAsync(view => view.AllIdle, "idle workers");
    }

    [Fact]
    public async Task A_job_that_kills_its_process_each_time_fails_as_poison_and_other_jobs_succeed()
    {
        const int Redeliveries = 1;
        string[] settings = ["--Pool:Workers 3", $"--Jobs:MaxRedeliveries {Redeliveries}"];
        using var data = new TemporaryFolder();
        Guid? killer = null;
        int deaths = 0;
        while (true)
        {
            await using var service = await StartAsync(data, settings);
            if (killer is null)
            {
                for (int i = 0; i < 10; i++)
                    await service.Api.AcceptJobAsync(PoolApiProcess.Sleep(300), "Job-Tags: innocent");
                killer = await service.Api.AcceptJobAsync("/v1/diagnostics/sleep?ms=600000", "Job-Priority: high");
            }

            var job = await service.Api.SeeJobAsync(killer.Value, job => job.HasEnded || (job.State == "running" && job.IsOf(service)), "the killer to run or to end");
            if (job.HasEnded)
            {
                Assert.Equal(("failed", "poison", deaths), (job.State, job.Error, job.Attempt));
                var innocent = await service.Api.AllJobsEndAsync("innocent");
                Assert.Equal(10, innocent.Count);
                Assert.All(innocent, each => Assert.Equal("succeeded", each.State));
                // At least one of them ran beside the killer when the process died. None fails as poison.
                Assert.Contains(innocent, each => each.Attempt > 1);
                return;
            }

            await service.KillAsync();
            deaths++;
            // One death beside any jobs, one as a suspect beside other jobs, and then deaths alone until the job fails as poison.
            Assert.InRange(deaths, 1, Redeliveries + 3);
        }
    }

    /// <summary>The most jobs that a kill can interrupt: one on each worker, and those whose ends wait for their commit.</summary>
    private const int MostAtOnce = 4 * Workers;

    private static Task<PoolApiProcess> StartAsync(TemporaryFolder data, params string[] settings) => PoolApiProcess.StartAsync(
        ServiceForm.NativeAot,
        [$"--Pool:Workers {Workers}", PoolApiProcess.Diagnostics, $"--Jobs:Path {Path.Combine(data.Path, "jobs.db")}", "--Jobs:MaxRedeliveries 1000", .. settings]);

    private static async Task<(string State, int Attempt)> EndOfAsync(PoolApiProcess service, Guid id)
    {
        var job = await service.Api.JobEndsAsync(id);
        return (job.State, job.Attempt);
    }

    /// <summary>The redeliveries that the processes counted before they were killed.</summary>
    private sealed class Counts
    {
        public double Redelivered { get; private set; }

        /// <summary>Adds the redeliveries of a process, which happen right after its start.</summary>
        public async Task AddAsync(PoolApiProcess service) => Redelivered += (await service.MetricsAsync()).Sum("poolapi_job_redelivered_total");
    }
}
