namespace PoolApi.EndToEnd.Load;

/// <summary>Many concurrent requests on two workers: each gets the right answer, and no more than two workers run.</summary>
[Collection(Heavy.Name)]
public sealed class ThumbnailLoadTests
{
    private const int Requests = 200;

    [Theory, ClassData(typeof(OneForm))]
    public async Task Two_workers_answer_two_hundred_concurrent_requests_correctly(ServiceForm form)
    {
        await using var service = await PoolApiProcess.StartAsync(form, "--Pool:Workers 2", "--Pool:MaxQueueTime 00:10:00");
        byte[] photo = await Photos.SmallAsync(service);
        var own = ProcessFacts.ThreadNames(service.Id).Where(name => name.StartsWith("cpu-", StringComparison.Ordinal));
        Assert.Equal(["cpu-0", "cpu-1"], own.Order());

        var all = Task.WhenAll(Enumerable.Range(0, Requests).Select(_ => service.Api.PostImageAsync("/v1/thumbnails?width=320", photo)));
        int mostBusy = 0;
        while (!all.IsCompleted)
        {
            mostBusy = Math.Max(mostBusy, (await service.WorkersAsync()).Busy);
            await Task.WhenAny(all, Task.Delay(20, TestContext.Current.CancellationToken)); // the pace of the polls
        }

        foreach (var answer in await all)
            Assert.Equal(new ImageHeader("webp", 320, 180), ImageHeader.Read(answer.MustBe(200).Body));
        Assert.Equal(2, mostBusy);
        var after = await service.SeeWorkersAsync(view => view.AllIdle, "idle workers");
        Assert.Equal(Requests + 1, after.Workers.Sum(worker => worker.Completed));
        Assert.Equal(0, after.QueueBytes);
        var summary = await service.StopAsync();
        Assert.Equal(new ShutdownSummary(0, Requests + 1, Requests + 1, 0, 0, 0, 0, 0, 0, 2, 2), summary);
    }
}
