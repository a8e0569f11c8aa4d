using System.Diagnostics;
using System.Text.Json;

namespace PoolApi.EndToEnd.Telemetry;

/// <summary>P7: the workers view shows for each worker what it runs, since when and for whom, in exactly the promised shape.</summary>
public sealed class WorkersViewTests
{
    private static readonly string[] IdleMembers = ["id", "name", "state", "completed", "failed", "busySeconds"];
    private static readonly string[] BusyMembers = [.. IdleMembers, "kind", "route", "elapsedMs", "traceId"];

    [Theory, ClassData(typeof(OneForm))]
    public async Task The_workers_view_has_the_promised_JSON_shape(ServiceForm form)
    {
        const string TraceId = "0af7651916cd43dd8448eb211c80319c";
        await using var service = await PoolApiProcess.StartAsync(
            form, "--Pool:Workers 2", "--Pool:QueueCapacity 9", PoolApiProcess.Diagnostics);
        var request = new HttpRequestMessage(HttpMethod.Post, PoolApiProcess.Sleep(1000));
        request.Headers.Add("traceparent", $"00-{TraceId}-b7ad6b7169203331-01");
        var clock = Stopwatch.StartNew();
        var running = service.Api.SendAsync(request);
        await service.SeeWorkersAsync(view => view.Busy == 1, "one busy worker");

        var answer = (await service.Management.GetAsync("/v1/workers")).MustBe(200);

        Assert.Equal("application/json", answer.MediaType);
        var json = answer.Json();
        MustHave(json, "state", "pools");
        Assert.Equal("running", json.GetProperty("state").GetString());
        var pool = Assert.Single(json.GetProperty("pools").EnumerateArray());
        MustHave(pool, "name", "queue", "suspended", "workers");
        Assert.Equal("cpu", pool.GetProperty("name").GetString());
        MustHave(pool.GetProperty("queue"), "length", "capacity", "oldestAgeMs", "bytes");
        Assert.Equal(9, pool.GetProperty("queue").GetProperty("capacity").GetInt32());
        var workers = pool.GetProperty("workers").EnumerateArray().ToArray();
        Assert.Equal(["cpu-0", "cpu-1"], workers.Select(worker => worker.GetProperty("name").GetString()));
        Assert.Equal([0, 1], workers.Select(worker => worker.GetProperty("id").GetInt32()));

        var busy = Assert.Single(workers, worker => worker.GetProperty("state").GetString() == "busy");
        MustHave(busy, BusyMembers);
        Assert.Equal("diagnostics/sleep", busy.GetProperty("kind").GetString());
        Assert.Equal("/v1/diagnostics/sleep", busy.GetProperty("route").GetString());
        Assert.InRange(busy.GetProperty("elapsedMs").GetDouble(), 0.001, clock.Elapsed.TotalMilliseconds);
        Assert.Equal(TraceId, busy.GetProperty("traceId").GetString());

        var idle = Assert.Single(workers, worker => worker.GetProperty("state").GetString() == "idle");
        Assert.All(IdleMembers, member => Assert.True(idle.TryGetProperty(member, out _), $"an idle worker without {member}"));
        Assert.All(idle.EnumerateObject(), member => Assert.Contains(member.Name, BusyMembers));

        (await running).MustBe(200);
        var after = await service.SeeWorkersAsync(view => view.AllIdle, "idle workers");
        Assert.Equal(1, after.Workers.Sum(worker => worker.Completed));
        Assert.InRange(after.Workers.Sum(worker => worker.BusySeconds), 0.99, clock.Elapsed.TotalSeconds);
    }

    [Fact]
    public async Task The_workers_view_reports_the_number_and_the_oldest_age_of_queued_items()
    {
        await using var service = await PoolApiProcess.StartAsync(
            ServiceForm.Any, "--Pool:Workers 1", PoolApiProcess.Diagnostics);
        var running = await service.OccupyAsync(1, 1500);
        var waiting = await service.QueueAsync(3, 1);

        var older = await Eventually.SeesAsync(
            () => service.Management.GetAsync("/v1/workers"), answer => OldestAge(answer) > 100, "an oldest age of more than 100 ms");

        Assert.Equal(3, WorkersView.Read(older).QueueLength);
        await Task.WhenAll([.. running, .. waiting]);
    }

    [Fact]
    public async Task A_worker_that_runs_one_item_longer_than_StuckAfter_is_reported_as_stuck()
    {
        await using var service = await PoolApiProcess.StartAsync(
            ServiceForm.Any, "--Pool:Workers 2", "--Pool:StuckAfter 00:00:00.200", PoolApiProcess.Diagnostics);
        var running = service.Api.PostAsync(PoolApiProcess.Sleep(1500));

        await service.SeeWorkersAsync(view => view.Workers.Any(worker => worker.State == "stuck"), "a stuck worker");

        (await running).MustBe(200);
        await service.SeeWorkersAsync(view => view.AllIdle, "idle workers");
    }

    private static double OldestAge(Answer answer)
    {
        var age = answer.Json().GetProperty("pools")[0].GetProperty("queue").GetProperty("oldestAgeMs");
        return age.ValueKind == JsonValueKind.Number ? age.GetDouble() : 0;
    }

    private static void MustHave(JsonElement json, params string[] members) =>
        Assert.Equal(members.Order(), json.EnumerateObject().Select(member => member.Name).Order());
}
