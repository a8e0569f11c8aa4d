using System.Collections.Concurrent;
using System.Diagnostics;

namespace PoolApi.EndToEnd.Jobs;

/// <summary>Several instances that share one PostgreSQL database and nothing else.</summary>
public sealed class InstancesTests(SharedPostgres postgres)
{
    [Fact]
    public async Task A_killed_instance_loses_no_job_and_only_its_running_jobs_run_again_within_the_lease()
    {
        int jobs = LongTests.Wanted ? 5000 : 400;
        int lease = MachineLoad.StretchSeconds(6);
        string tag = "t" + Guid.NewGuid().ToString("N");
        await using var installation = await Installation.StartAsync(
            3, await postgres.NewDatabaseAsync(), "--Pool:Workers 2", $"--Jobs:Lease {TimeSpan.FromSeconds(lease):c}");
        await PostAsync(jobs / 2, installation.Instances);
        // The instance that runs this job is killed. The job's priority puts it before all queued jobs.
        var longJob = await installation.Here.Api.AcceptJobAsync(PoolApiProcess.Sleep(4000), $"Job-Tags: {tag}", "Job-Priority: high");
        var job = await installation.Here.Api.SeeJobAsync(longJob, each => each.State == "running", "the long job to run");
        var victim = installation.Instances.Single(job.IsOf);
        var others = installation.Instances.Where(instance => instance != victim).ToArray();

        var killedAt = DateTimeOffset.UtcNow;
        await victim.KillAsync();
        // Until the lease of the killed instance expires, its jobs still count as running.
        var lost = (await others[0].Api.JobsAsync($"tag={tag}&state=running")).Where(each => each.IsOf(victim)).ToDictionary(each => each.Id);
        Assert.InRange((DateTimeOffset.UtcNow - killedAt).TotalSeconds, 0, lease / 2);
        await PostAsync(jobs - 1 - jobs / 2, others);
        var all = await others[1].Api.AllJobsEndAsync(tag);

        var again = all.Where(each => each.Attempt > 1).ToList();
        double latest = again.Max(each => (each.StartedAt!.Value - killedAt).TotalSeconds);
        TestContext.Current.TestOutputHelper!.WriteLine(
            $"{all.Count(each => each.IsOf(victim))} of {jobs} were the victim's, {lost.Count} were under way, begun again within {latest:F1} s");
        Assert.Equal(jobs, all.Count);
        Assert.All(all, each => Assert.Equal("succeeded", each.State));
        Assert.Contains(longJob, lost.Keys);
        Assert.Equal(lost.Keys.Order(), again.Select(each => each.Id).Order());
        Assert.All(again, each => Assert.Equal(2, each.Attempt));
        Assert.InRange(latest, 0, lease + MachineLoad.StretchSeconds(2));
        // The other instances have run exactly the jobs that name them in the end, so they ran none twice.
        double run = 0, redelivered = 0;
        foreach (var instance in others)
        {
            var metrics = await instance.MetricsAsync();
            run += metrics.Sum("poolapi_work_finished_total", "kind=\"diagnostics/sleep\"", "outcome=\"completed\"");
            redelivered += metrics.Sum("poolapi_job_redelivered_total");
        }

        Assert.Equal(all.Count(each => !each.IsOf(victim)), run);
        Assert.Equal(lost.Count, redelivered);

        Task PostAsync(int count, IReadOnlyList<PoolApiProcess> through) =>
            Parallel.ForAsync(0, count, new ParallelOptions { MaxDegreeOfParallelism = 16 }, async (i, _) =>
                await through[i % through.Count].Api.AcceptJobAsync("/v1/diagnostics/sleep?ms=10", $"Job-Tags: {tag}"));
    }

    [Fact]
    public async Task The_unstarted_job_of_a_stopping_instance_runs_elsewhere_at_once_and_clients_see_no_error()
    {
        string connection = await postgres.NewDatabaseAsync();
        string[] settings = ["--Pool:Workers 1", $"--Shutdown:LameDuck {MachineLoad.Stretch(TimeSpan.FromSeconds(2)):c}"];
        await using var leaving = await Installation.StartOneAsync(connection, settings);
        // Its worker is busy, so the job that the instance claims for its share waits for the worker.
        var busy = await leaving.OccupyAsync(1, 15_000);
        var unstarted = await leaving.Api.AcceptJobAsync("/v1/diagnostics/noop");
        var job = await leaving.Api.SeeJobAsync(unstarted, each => each.State == "running", "the job to be claimed");
        Assert.True(job.IsOf(leaving), job.ToString());
        await using var staying = await Installation.StartAsync(2, connection, settings);
        PoolApiProcess[] all = [leaving, .. staying.Instances];

        using var balancer = new Balancer(all);
        await using var clients = new CarefulClients(6, "/v1/diagnostics/sleep?ms=2", balancer.Next, pauseMs: 60);
        await balancer.SeesAsync(ready: 3);
        leaving.Send(UnixSignal.Terminate);
        await leaving.WaitForLineAsync("Shutdown: Draining");
        var clock = Stopwatch.StartNew();
        job = await staying.Here.Api.JobEndsAsync(unstarted);
        double took = clock.Elapsed.TotalSeconds;
        Assert.False(busy[0].IsCompleted);
        (await busy[0]).MustBe(200);
        Assert.Equal(0, (await leaving.ReadSummaryAsync()).Exit);
        await clients.FinishAsync();

        var ended = await staying.There.Api.AllJobsEndAsync(clients.Tag);
        TestContext.Current.TestOutputHelper!.WriteLine($"{clients}; the unstarted job {1000 * took:F0} ms after the drain began");
        clients.MustBe(ended);
        Assert.All(ended, each => Assert.Equal(1, each.Attempt));
        Assert.Equal(("succeeded", 1), (job.State, job.Attempt));
        Assert.Contains(staying.Instances, job.IsOf);
        Assert.Empty(clients.OtherAnswers);
    }

    [Fact]
    public async Task Any_instance_answers_for_any_job()
    {
        await using var installation = await Installation.StartAsync(2, await postgres.NewDatabaseAsync(), "--Pool:Workers 1");
        var (here, there) = (installation.Here, installation.There);
        // Each instance has one worker, so the second job runs on the other instance.
        var first = await here.Api.AcceptJobAsync(PoolApiProcess.Sleep(4000));
        var second = await here.Api.AcceptJobAsync(PoolApiProcess.Sleep(4000));
        await here.Api.SeeJobAsync(second, job => job.State == "running", "both to run");

        foreach (var api in new[] { here.Api, there.Api })
            Assert.Equal([second, first], (await api.JobsAsync("state=running")).Select(job => job.Id));
        var streams = new[] { (here, first), (here, second), (there, first), (there, second) }
            .Select(each => each.Item1.Api.ReadToEndAsync($"/v1/jobs/{each.Item2}/events", static () => { })).ToArray();
        var polls = new[] { here, there }.Select(instance => instance.Api.JobEndsAsync(second)).ToArray();
        foreach (string text in await Task.WhenAll(streams))
        {
            Assert.Contains("\"state\":\"succeeded\"", text, StringComparison.Ordinal);
            Assert.Matches("\"progress\":0\\.[0-9]", text);
        }

        Assert.All(await Task.WhenAll(polls), job => Assert.Equal("succeeded", job.State));
        var workers = new[] { await there.Api.JobEndsAsync(first), await there.Api.JobEndsAsync(second) };
        Assert.All(installation.Instances, instance => Assert.Single(workers, job => job.IsOf(instance)));
        foreach (var id in new[] { first, second })
        {
            Assert.Equal("done\n", (await here.Api.ResultAsync(id)).MustBe(200).Text);
            Assert.Equal("done\n", (await there.Api.ResultAsync(id)).MustBe(200).Text);
        }
    }

    /// <summary>Sends each request to the next ready instance, as a load balancer does.</summary>
    private sealed class Balancer : IDisposable
    {
        private readonly PoolApiProcess[] _instances;
        private readonly ConcurrentDictionary<int, bool> _ready = new();
        private readonly CancellationTokenSource _over = new();
        private readonly Task[] _probes;
        private int _next;

        public Balancer(PoolApiProcess[] instances)
        {
            _instances = instances;
            _probes = [.. instances.Select(ProbeAsync)];
        }

        public int? Next()
        {
            for (int i = 0; i < _instances.Length; i++)
            {
                var instance = _instances[(int)((uint)Interlocked.Increment(ref _next) % _instances.Length)];
                if (_ready.GetValueOrDefault(instance.Api.Port))
                    return instance.Api.Port;
            }

            return null;
        }

        public Task<int> SeesAsync(int ready) =>
            Eventually.SeesAsync(() => Task.FromResult(_ready.Values.Count(each => each)), n => n == ready, $"{ready} instances to be ready");

        public void Dispose()
        {
            _over.Cancel();
            Task.WhenAll(_probes).Wait(TimeSpan.FromSeconds(10));
            _over.Dispose();
        }

        private async Task ProbeAsync(PoolApiProcess instance)
        {
            while (!_over.IsCancellationRequested)
            {
                try
                {
                    _ready[instance.Api.Port] = (await instance.Management.GetAsync("/readyz")).Status == 200;
                }
                catch (HttpRequestException)
                {
                    _ready[instance.Api.Port] = false;
                }

                await Task.Delay(40, CancellationToken.None); // the pace of the probes
            }
        }
    }
}
