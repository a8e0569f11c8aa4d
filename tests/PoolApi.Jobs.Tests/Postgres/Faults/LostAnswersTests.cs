using PoolApi.Jobs.PostgreSql;
using PoolApi.Jobs.Running;
using PoolApi.Jobs.Stores;
using static PoolApi.TestKit.Patience;

namespace PoolApi.Jobs.Tests.Postgres.Faults;

/// <summary>Every instance is notified of a committed change, even if the instance that made it got no answer, or none in time.</summary>
[Collection(PostgresTimeoutTests.Name)]
[Trait("Category", "Slow")]
public sealed class LostAnswersTests(PostgresCluster cluster) : IAsyncLifetime
{
    private static readonly MaintenanceRules Rules = new(TimeSpan.FromDays(1), MaxRedeliveries: 3);

    private readonly string _schema = PostgresTests.NewSchema();
    private readonly RecordingListener _listener = new();
    private CutOff _proxy = null!;
    private PostgreSqlJobStore _watcher = null!;

    public async ValueTask InitializeAsync()
    {
        PostgresCluster.Require();
        _proxy = new CutOff(cluster.Port);
        _watcher = new PostgreSqlJobStore(cluster.ConnectionString, _schema, PostgresTests.Patient) { Listener = _listener };
        await _watcher.OpenAsync(Token);
    }

    public async ValueTask DisposeAsync()
    {
        await _watcher.DisposeAsync();
        await _proxy.DisposeAsync();
    }

    [Theory]
    [InlineData("finish")]
    [InlineData("hand back")]
    [InlineData("progress")]
    [InlineData("cancel")]
    [InlineData("retry")]
    [InlineData("maintain")]
    public async Task Listeners_are_notified_of_a_change_whose_caller_gave_up_before_the_answer(string operation)
    {
        await using PostgreSqlJobStore store = await OpenAsync(PostgresTests.Patient with { Patience = TimeSpan.FromMilliseconds(1) });
        Job job = (await _watcher.AcceptAsync(Jobs.New(timeout: operation == "maintain" ? TimeSpan.FromMilliseconds(1) : null), Token)).Job;
        JobClaim? claim = operation is "cancel" or "maintain" ? null : Assert.Single((await _watcher.ClaimAsync("me", 1, Jobs.LongLease, Token)).Claims);
        if (operation == "retry") Assert.True(await _watcher.FinishAsync(claim!, Jobs.Failure(), Token));
        long before = (await _watcher.GetAsync(job.Id, Token))!.Version;

        _proxy.CutAnswers();
        await Assert.ThrowsAsync<JobStoreUnavailableException>(() => operation switch
        {
            "finish" => store.FinishAsync(claim!, Jobs.Success(), Token).AsTask(),
            "hand back" => store.HandBackAsync([claim!], Token).AsTask(),
            "progress" => store.ReportProgressAsync(claim!, 0.5, Token).AsTask(),
            "cancel" => store.CancelAsync(job.Id, Token).AsTask(),
            "retry" => store.RetryAsync(job.Id, Token).AsTask(),
            _ => store.MaintainAsync(Rules, Token).AsTask(),
        });
        _proxy.Mend();

        await _listener.WaitForAsync(job.Id, before + 1);
    }

    [Fact]
    public async Task Repeating_an_end_whose_answer_was_lost_notifies_listeners()
    {
        await using PostgreSqlJobStore store = await OpenAsync(PostgresTests.Stretched);

        JobClaim claim = await LoseAnswerAsync(
            async () =>
            {
                await _watcher.AcceptAsync(Jobs.New(), Token);
                return Assert.Single((await _watcher.ClaimAsync("me", 1, Jobs.LongLease, Token)).Claims);
            },
            async claim => await store.FinishAsync(claim, Jobs.Success(), Token),
            async claim => (await _watcher.GetAsync(claim.Job.Id, Token))!.State == JobState.Succeeded);
        Job ended = (await _watcher.GetAsync(claim.Job.Id, Token))!;
        _proxy.Mend();
        await UntilAsync(
            async () =>
            {
                bool isWritten = false;
                Exception? failure = await Record.ExceptionAsync(async () => isWritten = await store.FinishAsync(claim, Jobs.Success(), Token));
                Assert.True(failure is null or JobStoreUnavailableException, $"{failure}");
                return isWritten;
            },
            "That the end is repeated");

        await _listener.WaitForAsync(ended.Id, ended.Version);
    }

    [Fact]
    public async Task A_watcher_sees_a_cancellation_whose_answer_was_lost()
    {
        await using PostgreSqlJobStore store = await OpenAsync(PostgresTests.Stretched);
        var watch = new JobWatch(_watcher);
        (_listener.OnChange, _listener.OnMissed) = (watch.Changed, watch.MayHaveMissed);

        (Guid id, IAsyncEnumerator<Job> versions, Task<bool> next) = await LoseAnswerAsync(
            async () =>
            {
                Job job = (await _watcher.AcceptAsync(Jobs.New(), Token)).Job;
                IAsyncEnumerator<Job> versions = watch.WatchAsync(job.Id, 0, Token).GetAsyncEnumerator(Token);
                // The watcher's own first read. On a busy machine it may come later than the cancellation, and would find it.
                Assert.True(await versions.MoveNextAsync());
                return (id: job.Id, versions, next: versions.MoveNextAsync().AsTask());
            },
            async of => await store.CancelAsync(of.id, Token),
            // A watcher that has read again for another reason, such as a lost session of its listener, shows nothing.
            async of => (await _watcher.GetAsync(of.id, Token))!.State == JobState.Cancelled && !of.next.IsCompleted);
        _proxy.Mend();

        Assert.True(await next.Patiently());
        Assert.Equal((id, JobState.Cancelled), (versions.Current.Id, versions.Current.State));
    }

    /// <summary>Executes an operation whose answer is lost. Afterwards the answers are still cut off.</summary>
    /// <param name="make">Makes the operation's input.</param>
    /// <param name="act">The operation.</param>
    /// <param name="isDone">Whether the server has executed it.</param>
    /// <remarks>
    /// The operation needs an idle connection on which its statement is prepared. The store uses its connections for notifications too, so there may
    /// be none. Then the operation is tried again.
    /// </remarks>
    private async Task<T> LoseAnswerAsync<T>(Func<Task<T>> make, Func<T, Task> act, Func<T, Task<bool>> isDone)
    {
        for (int attempt = 0; attempt < 20; attempt++)
        {
            T first = await make(), second = await make();
            await UntilAsync(async () => await Record.ExceptionAsync(() => act(first)) is null, "That the statement is prepared");
            _proxy.CutAnswers();
            await Assert.ThrowsAsync<JobStoreUnavailableException>(() => act(second));
            if (await isDone(second)) return second;
            _proxy.Mend();
        }
        throw new TimeoutException("The operation was never carried out.");
    }

    private async Task<PostgreSqlJobStore> OpenAsync(DatabaseLimits limits)
    {
        var store = new PostgreSqlJobStore($"{cluster.ConnectionString};Port={_proxy.Port}", _schema, limits);
        await store.OpenAsync(Token);
        return store;
    }
}
