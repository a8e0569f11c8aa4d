using System.Diagnostics;

namespace PoolApi.EndToEnd.Jobs;

/// <summary>A request to cancel a job stops it on every instance, in the queue and while it runs.</summary>
public sealed class CancelTests(SharedPostgres postgres)
{
    // The promise is 1 s. Without a notification, an instance notices the cancellation only when it renews its leases, after ten minutes.
    private const double Soon = 60;
    private const string Long = "/v1/diagnostics/sleep?ms=600000";

    [Theory, InlineData(JobStore.Sqlite), InlineData(JobStore.Postgres)]
    public async Task A_cancel_stops_a_queued_or_running_job_at_once_on_any_instance(JobStore store)
    {
        await using var installation = await Installation.StartAsync(store, postgres, "--Pool:Workers 1", "--Jobs:Share 0", "--Jobs:Lease 01:00:00");
        var running = new List<JobView>();
        foreach (var _ in installation.Instances)
        {
            var id = await installation.Here.Api.AcceptJobAsync(Long);
            running.Add(await installation.There.Api.SeeJobAsync(id, job => job.State == "running", "the job to run"));
        }

        Assert.All(installation.Instances, instance => Assert.Single(running, job => job.IsOf(instance)));
        // This job is queued, because all workers are busy.
        var queued = await installation.Here.Api.AcceptJobAsync(Long);
        var clock = Stopwatch.StartNew();
        (await installation.There.Api.CancelJobAsync(queued)).MustBe(204);
        var job = await installation.Here.Api.JobAsync(queued);
        Assert.Equal(("cancelled", 0), (job.State, job.Attempt));
        Assert.Null(job.StartedAt);
        MustBeSoon(clock, "queued");

        // First the job on the other instance, then the job on the instance that gets the request.
        foreach (bool here in installation.Instances.Count > 1 ? new[] { false, true } : [true])
        {
            var instance = installation.Here;
            job = running.First(each => each.IsOf(instance) == here);
            clock.Restart();
            var cancelled = (await instance.Api.CancelJobAsync(job.Id)).MustBe(202);
            Assert.Equal(job.Id, JobView.Read(cancelled.Json()).Id);
            job = await instance.Api.JobEndsAsync(job.Id);
            Assert.Equal("cancelled", job.State);
            MustBeSoon(clock, here ? "running here" : "running elsewhere");
            (await instance.Api.CancelJobAsync(job.Id)).MustBeProblem(409, "job-finished");
        }

        foreach (var instance in installation.Instances)
        {
            await instance.SeeWorkersAsync(view => view.AllIdle, "an idle worker");
            Assert.Equal(1, (await instance.MetricsAsync()).Sum("poolapi_work_finished_total", "outcome=\"cancelled\""));
        }

        // The cancelled job can be retried.
        JobRequests.IdOf(await installation.There.Api.RetryJobAsync(queued));
        job = await installation.Here.Api.SeeJobAsync(queued, each => each.State == "running", "the retried job to run");
        Assert.Equal(1, job.Attempt);
    }

    private static void MustBeSoon(Stopwatch clock, string what)
    {
        TestContext.Current.TestOutputHelper!.WriteLine($"{what}: {clock.Elapsed.TotalMilliseconds:F0} ms");
        Assert.InRange(clock.Elapsed.TotalSeconds, 0, Soon);
    }
}
