using PoolApi.Jobs.Stores;
using static PoolApi.TestKit.Patience;

namespace PoolApi.Jobs.Tests.Conformance;

public abstract partial class JobStoreConformance
{
    [Fact]
    public async Task A_store_that_is_closed_is_unavailable_to_every_method()
    {
        IJobStore store = await OpenAsync();
        await AcceptAsync(store);
        JobClaim claim = await ClaimOneAsync(store);
        Guid id = claim.Job.Id;
        await store.DisposeAsync();
        Dictionary<string, Func<Task>> calls = new()
        {
            ["accept"] = async () => await store.AcceptAsync(Jobs.New(), Token),
            ["accept and claim"] = async () => await store.AcceptAndClaimAsync(Jobs.New(), "me", Jobs.LongLease, Token),
            ["claim"] = async () => await store.ClaimAsync("me", 1, Jobs.LongLease, Token),
            ["finish"] = async () => await store.FinishAsync(claim, Jobs.Success(), Token),
            ["hand back"] = async () => await store.HandBackAsync([claim], Token),
            ["hand back none"] = async () => await store.HandBackAsync([], Token),
            ["renew"] = async () => await store.RenewAsync([claim], Jobs.LongLease, Token),
            ["renew none"] = async () => await store.RenewAsync([], Jobs.LongLease, Token),
            ["report"] = async () => await store.ReportProgressAsync(claim, 0.5, Token),
            ["get"] = async () => await store.GetAsync(id, Token),
            ["get result"] = async () => await store.GetResultAsync(id, Token),
            ["list"] = async () => await store.ListAsync(new JobQuery(), Token),
            ["cancel"] = async () => await store.CancelAsync(id, Token),
            ["retry"] = async () => await store.RetryAsync(id, Token),
            ["maintain"] = async () => await store.MaintainAsync(KeepAll, Token),
            ["count"] = async () => await store.CountAsync(Token),
            ["check"] = async () => await store.CheckAsync(Token),
        };

        var answers = new Dictionary<string, Type?>();
        foreach (var (name, call) in calls) answers[name] = (await Record.ExceptionAsync(() => call().Patiently()))?.GetType();

        Assert.All(answers, static a => Assert.True(a.Value == typeof(JobStoreUnavailableException), $"{a.Key}: {a.Value}"));
        await store.DisposeAsync(); // a second disposal is harmless
    }

    [Fact]
    public async Task Callers_that_dispose_a_store_concurrently_all_complete()
    {
        for (int round = 0; round < 25; round++)
        {
            IJobStore store = await OpenAsync();
            await AcceptAsync(store);
            using var together = new Barrier(4);

            Task Close() => Task.Factory.StartNew(
                () =>
                {
                    together.SignalAndWait(Token);
                    return store.DisposeAsync().AsTask();
                },
                Token, TaskCreationOptions.LongRunning, TaskScheduler.Default).Unwrap();

            await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Close())).Patiently();
        }
    }

    [Fact]
    public async Task A_store_that_works_passes_its_check()
    {
        await using IJobStore store = await OpenAsync();

        await store.CheckAsync(Token);
        await store.CheckAsync(Token);
    }
}
