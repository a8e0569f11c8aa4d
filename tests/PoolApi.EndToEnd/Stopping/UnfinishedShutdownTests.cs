using System.Text.RegularExpressions;

namespace PoolApi.EndToEnd.Stopping;

/// <summary>A stop that cannot finish all work reports exactly what it left: to each client, in the log and by the exit code.</summary>
public sealed class UnfinishedShutdownTests
{
    private static readonly string[] Hurry = ["--Shutdown:Drain 00:00:01", "--Shutdown:Cancel 00:00:01"];

    [Theory, ClassData(typeof(BothForms))]
    public async Task At_the_drain_deadline_running_work_is_cancelled_and_queued_work_is_handed_back(ServiceForm form)
    {
        await using var service = await PoolApiProcess.StartAsync(form, ["--Pool:Workers 2", .. Hurry, "--Shutdown:Cancel 00:05:00", PoolApiProcess.Diagnostics]);
        (await service.Api.PostAsync("/v1/diagnostics/noop")).MustBe(200);
        var running = await service.OccupyAsync(2, 60_000);
        var queued = await service.QueueAsync(5, 60_000);

        service.Send(UnixSignal.Terminate);

        foreach (var answer in await Task.WhenAll(queued))
        {
            answer.MustBeProblem(503, "not-started");
            answer.MustSayRetryAfter();
        }

        foreach (var answer in await Task.WhenAll(running))
            answer.MustBeProblem(503, "state-unknown");
        var summary = await service.ReadSummaryAsync();
        Assert.Equal((3, 8, 1, 5, 0), (summary.Exit, summary.Accepted, summary.Completed, summary.NotStarted, summary.Abandoned));
        Assert.Equal((2, 2), (summary.Joined, summary.Workers));
        summary.MustAddUp();
        await service.WaitForLineAsync("Shutdown: cancelling");
        Assert.Contains(service.Log.Lines, line => Regex.IsMatch(line, @"Shutting down worker 1\s*$"));
    }

    [Theory, ClassData(typeof(OneForm))]
    public async Task A_worker_that_cannot_be_joined_is_named_and_does_not_keep_the_process_alive(ServiceForm form)
    {
        await using var service = await PoolApiProcess.StartAsync(form, ["--Pool:Workers 2", .. Hurry, PoolApiProcess.Diagnostics]);
        var running = await service.OccupyAsync(1, 60_000, "&uncooperative=true");
        int stuck = (await service.WorkersAsync()).Workers.Single(worker => worker.State == "busy").Id;
        int linesBefore = service.Log.Lines.Count;

        service.Send(UnixSignal.Terminate);

        (await running[0]).MustBeProblem(503, "state-unknown");
        var summary = await service.ReadSummaryAsync();
        Assert.Equal(new ShutdownSummary(4, 1, 0, 0, 0, 0, 0, 0, 1, 1, 2), summary);
        var after = service.Log.Lines.Skip(linesBefore).ToArray();
        Assert.Contains(after, line => Regex.IsMatch(line, $@"\bcpu-{stuck}\b"));
        Assert.DoesNotContain(after, line => Regex.IsMatch(line, $@"Shutting down worker {stuck}\s*$"));
        Assert.Contains(after, line => Regex.IsMatch(line, $@"Shutting down worker {1 - stuck}\s*$"));
    }
}
