using System.Diagnostics;

namespace PoolApi.EndToEnd.Jobs;

/// <summary>While PostgreSQL is unavailable, requests for jobs get a 503 and running jobs continue. No job is lost or runs twice.</summary>
public sealed class OutageTests
{
    // In seconds. A query of the store may take five, the acceptance of a job six. The rest is for a busy machine.
    private const double NoHang = 60;

    [Fact]
    public async Task No_job_is_lost_or_run_twice_when_PostgreSQL_is_killed_and_restarted()
    {
        await using var postgres = await PostgresServer.StartNewAsync();
        await SurviveAsync(postgres, postgres.KillAsync, postgres.StartAsync, TimeSpan.FromSeconds(LongTests.Wanted ? 10 : 2));
    }

    [Fact]
    public async Task No_job_is_lost_or_run_twice_when_the_network_to_PostgreSQL_is_cut()
    {
        await using var postgres = await PostgresServer.StartNewAsync();
        await SurviveAsync(postgres, postgres.CutOffAsync, postgres.ReconnectAsync, TimeSpan.FromSeconds(LongTests.Wanted ? 20 : 5));
    }

    private static async Task SurviveAsync(PostgresServer postgres, Func<Task> goAway, Func<Task> comeBack, TimeSpan away)
    {
        // The lease outlasts the outage, so each running job stays with its instance.
        await using var installation = await Installation.StartAsync(2, await postgres.NewDatabaseAsync(), "--Pool:Workers 2", "--Jobs:Lease 00:30:00");
        foreach (var instance in installation.Instances)
            instance.Api.RepeatsReads = false; // the store is unavailable
        int turn = 0;
        await using var clients = new CarefulClients(
            6, "/v1/diagnostics/sleep?ms=10", () => installation.Instances[Interlocked.Increment(ref turn) & 1].Api.Port, pauseMs: 20);
        var running = await installation.Here.Api.AcceptJobAsync($"/v1/diagnostics/sleep?ms={MachineLoad.Stretch((int)away.TotalMilliseconds / 2 + 1000)}");
        await installation.Here.Api.SeeJobAsync(running, job => job.State == "running", "the job to run");
        await Eventually.SeesAsync(() => Task.FromResult(clients.Promised.Count), n => n > 50, "the clients to be under way");

        var clock = Stopwatch.StartNew();
        await goAway();
        await Task.WhenAll(installation.Instances.Select(MustSaySoAsync));
        if (away - clock.Elapsed is { Ticks: > 0 } rest)
            await Task.Delay(rest, TestContext.Current.CancellationToken); // the rest of the outage
        Assert.DoesNotContain(installation.Instances.SelectMany(instance => instance.Log.Lines), line => line.Contains("   at ", StringComparison.Ordinal));
        await comeBack();

        double back = clock.Elapsed.TotalSeconds;
        foreach (var instance in installation.Instances)
        {
            await Eventually.SeesAsync(() => instance.Management.GetAsync("/readyz"), answer => answer.Status == 200, "the instance to be ready again");
            instance.Api.RepeatsReads = true; // the store is available again
        }

        double ready = clock.Elapsed.TotalSeconds;
        await clients.FinishAsync();
        var job = await installation.There.Api.JobEndsAsync(running);
        Assert.Equal(("succeeded", 1), (job.State, job.Attempt));
        var all = await installation.There.Api.AllJobsEndAsync(clients.Tag);
        TestContext.Current.TestOutputHelper!.WriteLine($"away for {back:F1} s, ready {ready - back:F1} s later: {clients}");
        clients.MustBe(all);
        Assert.All(all, each => Assert.Equal(1, each.Attempt));
        Assert.Contains("store-unavailable", clients.OtherAnswers.Keys);
        Assert.All(clients.OtherAnswers.Keys, answer => Assert.Equal("store-unavailable", answer));
        // Both instances have run throughout, so their metrics count each run of a job.
        double run = 0;
        foreach (var instance in installation.Instances)
            run += (await instance.MetricsAsync()).Sum("poolapi_work_finished_total", "kind=\"diagnostics/sleep\"", "outcome=\"completed\"");
        Assert.Equal(all.Count + 1, run);
    }

    /// <summary>While the store is unavailable, requests that need it get a 503 soon, with the reason. Other requests are served.</summary>
    private static async Task MustSaySoAsync(PoolApiProcess instance)
    {
        var clock = Stopwatch.StartNew();
        var refusal = TimedAsync(instance.Api.PostWithAsync("/v1/diagnostics/noop", null, "Prefer: respond-async"));
        var look = TimedAsync(instance.Api.GetAsync($"/v1/jobs/{Guid.CreateVersion7()}"));
        var readyz = TimedAsync(Eventually.SeesAsync(() => instance.Management.GetAsync("/readyz"), answer => answer.Status == 503, "a 503 of readyz"));
        var work = TimedAsync(instance.Api.PostAsync("/v1/diagnostics/noop"));
        (await instance.Management.GetAsync("/livez")).MustBe(200);

        foreach (var asked in new[] { refusal, look })
        {
            var (answer, _) = await asked;
            answer.MustBeProblem(503, "store-unavailable");
            answer.MustSayRetryAfter();
        }

        Assert.Contains("jobs", (await readyz).Answer.Text, StringComparison.OrdinalIgnoreCase);
        (await work).Answer.MustBe(200);
        string times = $"work {(await work).Seconds:F1} s, 503 to accept {(await refusal).Seconds:F1} s, to look {(await look).Seconds:F1} s, readyz {(await readyz).Seconds:F1} s";
        TestContext.Current.TestOutputHelper!.WriteLine($"{times}: {(await readyz).Answer.Text}");
        Assert.True(clock.Elapsed.TotalSeconds < NoHang, times);

        async Task<(Answer Answer, double Seconds)> TimedAsync(Task<Answer> asked)
        {
            var answer = await asked;
            return (answer, clock.Elapsed.TotalSeconds);
        }
    }
}
