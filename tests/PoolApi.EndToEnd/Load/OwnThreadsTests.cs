namespace PoolApi.EndToEnd.Load;

/// <summary>P2: work that an endpoint runs on the pool never runs on the .NET ThreadPool.</summary>
[Collection(Heavy.Name)]
public sealed class OwnThreadsTests
{
    private const int Requests = 60;

    [Theory, ClassData(typeof(BothForms))]
    public async Task The_CPU_time_of_the_work_is_spent_on_the_pools_threads(ServiceForm form)
    {
        await using var service = await PoolApiProcess.StartAsync(form, "--Pool:Workers 2", "--Pool:MaxQueueTime 00:05:00", PoolApiProcess.Diagnostics);
        // The first answers cost compilation time on the calling threads, so they are not measured.
        for (int i = 0; i < 20; i++)
            (await service.Api.PostAsync("/v1/diagnostics/hash?iterations=1000")).MustBe(200);
        var before = ProcessFacts.Threads(service.Id).ToDictionary(thread => thread.Id, thread => thread.Ticks);

        // Repeats until there is enough CPU time to measure, however fast the machine is.
        Dictionary<string, long> spent;
        do
        {
            var answers = await Task.WhenAll(
                Enumerable.Range(0, Requests).Select(_ => service.Api.PostAsync("/v1/diagnostics/hash?iterations=200000")));
            Assert.All(answers, answer => answer.MustBe(200));
            spent = ProcessFacts.Threads(service.Id)
                .GroupBy(thread => Kind(thread.Name))
                .ToDictionary(group => group.Key, group => group.Sum(thread => thread.Ticks - before.GetValueOrDefault(thread.Id)));
        }
        while (spent.GetValueOrDefault("pool") < 200);

        // The compiler's own thread does none of the work.
        spent.Remove(".NET Tiered Com");
        long all = spent.Values.Sum();
        string ticks = string.Join(", ", spent.Select(kind => $"{kind.Key} {kind.Value}"));
        Assert.True(spent["pool"] >= 0.8 * all, $"ticks: {ticks}");
        Assert.True(spent.GetValueOrDefault(".NET TP Worker") <= 0.1 * all, $"ticks: {ticks}");
    }

    private static string Kind(string name) => name is "cpu-0" or "cpu-1" ? "pool" : name;
}
