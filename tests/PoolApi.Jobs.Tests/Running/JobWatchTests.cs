using PoolApi.Jobs.Running;
using PoolApi.Jobs.Stores;
using static PoolApi.TestKit.Patience;

namespace PoolApi.Jobs.Tests.Running;

/// <summary>Waiting for a job's next version.</summary>
public sealed class JobWatchTests : IAsyncLifetime
{
    private readonly InMemoryJobStore _store = new();
    private readonly JobWatch _watch;

    public JobWatchTests()
    {
        _watch = new JobWatch(_store);
        _store.Listener = new RecordingListener { OnChange = _watch.Changed };
    }

    public async ValueTask InitializeAsync() => await _store.OpenAsync(Token);

    public async ValueTask DisposeAsync() => await _store.DisposeAsync();

    [Fact]
    public async Task A_watcher_sees_the_job_as_it_is_then_its_changes_and_its_end()
    {
        Job job = await AcceptAsync();
        await using IAsyncEnumerator<Job> watcher = Watch(job.Id);
        Assert.Equal(JobState.Queued, await NextAsync(watcher));
        JobClaim claim = await ClaimAsync();
        Assert.Equal(JobState.Running, await NextAsync(watcher));
        await _store.ReportProgressAsync(claim, 0.5, Token);
        Assert.Equal(JobState.Running, await NextAsync(watcher));
        Assert.Equal(0.5, watcher.Current.Progress);
        await _store.FinishAsync(claim, Jobs.Success(), Token);
        Assert.Equal(JobState.Succeeded, await NextAsync(watcher));
        Assert.False(await watcher.MoveNextAsync());
        Assert.Equal(0, _watch.Count);
    }

    [Fact]
    public async Task A_watcher_does_not_receive_a_version_that_it_already_knows()
    {
        Job job = await AcceptAsync();
        await using IAsyncEnumerator<Job> watcher = Watch(job.Id, after: job.Version);
        Task<bool> next = watcher.MoveNextAsync().AsTask();
        Assert.False(next.IsCompleted);
        await _store.CancelAsync(job.Id, Token);
        Assert.True(await next.Patiently());
        Assert.Equal(JobState.Cancelled, watcher.Current.State);
    }

    [Fact]
    public async Task Five_hundred_watchers_receive_a_change_that_is_read_at_most_three_times()
    {
        Job job = await AcceptAsync();
        IAsyncEnumerator<Job>[] watchers = [.. Enumerable.Range(0, 500).Select(_ => Watch(job.Id))];
        foreach (IAsyncEnumerator<Job> watcher in watchers) await NextAsync(watcher);
        Task<JobState>[] next = [.. watchers.Select(w => NextAsync(w))];
        int reads = _store.Calls("get");

        JobClaim claim = await ClaimAsync();

        Assert.All(await Task.WhenAll(next).Patiently(), static s => Assert.Equal(JobState.Running, s));
        Assert.InRange(_store.Calls("get") - reads, 1, 3);
        next = [.. watchers.Select(w => NextAsync(w))];
        await _store.FinishAsync(claim, Jobs.Success(), Token);
        Assert.All(await Task.WhenAll(next).Patiently(), static s => Assert.Equal(JobState.Succeeded, s));
        Assert.InRange(_store.Calls("get") - reads, 2, 6);
        foreach (IAsyncEnumerator<Job> watcher in watchers) await watcher.DisposeAsync();
        Assert.Equal(0, _watch.Count);
    }

    [Fact]
    public async Task A_slow_watcher_does_not_delay_others_and_sees_the_latest_version()
    {
        Job job = await AcceptAsync();
        await using IAsyncEnumerator<Job> slow = Watch(job.Id), quick = Watch(job.Id);
        await NextAsync(slow);
        await NextAsync(quick);
        JobClaim claim = await ClaimAsync();
        await NextAsync(quick);
        for (int i = 1; i <= 100; i++)
        {
            await _store.ReportProgressAsync(claim, i / 100.0, Token);
            await NextAsync(quick);
        }
        Assert.Equal(1, quick.Current.Progress);

        await NextAsync(slow);

        Assert.Equal(quick.Current, slow.Current);
        Assert.Equal(1, _watch.Count);
    }

    [Fact]
    public async Task A_change_without_notification_is_found_when_changes_may_have_been_missed()
    {
        Job job = await AcceptAsync();
        await using IAsyncEnumerator<Job> watcher = Watch(job.Id);
        await NextAsync(watcher);
        _store.IsMute = true;
        await ClaimAsync();
        Task<JobState> next = NextAsync(watcher);
        Assert.False(next.IsCompleted);

        _watch.MayHaveMissed();

        Assert.Equal(JobState.Running, await next);
    }

    [Fact]
    public async Task A_change_while_the_job_is_being_read_is_not_missed()
    {
        for (int round = 0; round < 100; round++)
        {
            Job job = await AcceptAsync();
            Task<Job?> waiting = EndAsync(job.Id, Token);
            Task ending = Task.Run(async () => await _store.CancelAsync(job.Id, Token), Token);
            Assert.Equal(JobState.Cancelled, (await waiting.Patiently())!.State);
            await ending;
        }
        Assert.Equal(0, _watch.Count);
    }

    [Fact]
    public async Task A_late_answer_to_a_read_does_not_replace_a_newer_version()
    {
        Job job = await AcceptAsync();
        await using IAsyncEnumerator<Job> first = Watch(job.Id);
        await NextAsync(first);
        var isRead = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var answer = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        int reads = 0;
        // The answer to one read is late. It has the job as it was before its end.
        _store.After = operation =>
        {
            if (operation != "get" || Interlocked.Increment(ref reads) > 1) return Task.CompletedTask;
            isRead.SetResult();
            return answer.Task;
        };
        _watch.MayHaveMissed();
        await isRead.Task.Patiently();
        _store.IsMute = true;
        await _store.CancelAsync(job.Id, Token);
        // Another watcher reads the end. From here on no further read is needed.
        await using IAsyncEnumerator<Job> second = Watch(job.Id, after: job.Version);
        Assert.Equal(JobState.Cancelled, await NextAsync(second));

        answer.SetResult();
        await UntilAsync(() => !_watch.IsReading(job.Id));

        Assert.Equal(JobState.Cancelled, await NextAsync(first));
        Assert.False(await first.MoveNextAsync());
    }

    [Fact]
    public async Task A_watcher_that_is_cancelled_or_disposed_leaves_no_watch_behind()
    {
        Job job = await AcceptAsync();
        using var leaving = new CancellationTokenSource();
        IAsyncEnumerator<Job> cancelled = _watch.WatchAsync(job.Id, 0, leaving.Token).GetAsyncEnumerator(Token), disposed = Watch(job.Id);
        await NextAsync(cancelled);
        await NextAsync(disposed);
        Task<bool> next = cancelled.MoveNextAsync().AsTask();
        Assert.Equal(1, _watch.Count);

        await disposed.DisposeAsync();
        Assert.Equal(1, _watch.Count);
        await leaving.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => next.Patiently());

        Assert.Equal(0, _watch.Count);
    }

    [Fact]
    public async Task Watching_an_unknown_job_ends_at_once()
    {
        await using IAsyncEnumerator<Job> watcher = Watch(Guid.CreateVersion7());
        Assert.False(await watcher.MoveNextAsync());
        Assert.Null(await EndAsync(Guid.CreateVersion7(), Token));
        Assert.Equal(0, _watch.Count);
    }

    [Fact]
    public async Task A_watch_ends_when_its_job_is_deleted()
    {
        Job job = await AcceptAsync();
        await using IAsyncEnumerator<Job> watcher = Watch(job.Id);
        await NextAsync(watcher);
        await _store.CancelAsync(job.Id, Token);
        await UntilAsync(() => _store.Calls("get") >= 2);
        await _store.RetryAsync(job.Id, Token);
        _store.IsMute = true;
        await _store.CancelAsync(job.Id, Token);
        await _store.MaintainAsync(new MaintenanceRules(TimeSpan.Zero, 0), Token);
        Assert.Null(await _store.GetAsync(job.Id, Token));
        _watch.MayHaveMissed();
        while (await watcher.MoveNextAsync().AsTask().Patiently()) { }
    }

    [Fact]
    public async Task A_watcher_gets_the_error_of_an_unreadable_store_and_can_watch_again_later()
    {
        Job job = await AcceptAsync();
        IAsyncEnumerator<Job> watcher = Watch(job.Id);
        await NextAsync(watcher);
        Task<bool> next = watcher.MoveNextAsync().AsTask();
        _store.Fault = "away";
        _watch.MayHaveMissed();
        await Assert.ThrowsAsync<JobStoreUnavailableException>(() => next.Patiently());
        await watcher.DisposeAsync();
        await Assert.ThrowsAsync<JobStoreUnavailableException>(() => EndAsync(job.Id, Token));
        Assert.Equal(0, _watch.Count);

        _store.Fault = null;

        await using IAsyncEnumerator<Job> again = Watch(job.Id);
        Assert.Equal(JobState.Queued, await NextAsync(again));
    }

    [Fact]
    public async Task A_read_that_failed_before_a_watcher_began_does_not_fail_that_watcher()
    {
        Job job = await AcceptAsync();
        await using IAsyncEnumerator<Job> stays = Watch(job.Id);
        await NextAsync(stays);
        _store.Fault = "away";
        _watch.MayHaveMissed();
        await UntilAsync(() => !_watch.IsReading(job.Id));
        (_store.Fault, _store.IsMute) = (null, true);
        await using IAsyncEnumerator<Job> later = Watch(job.Id);
        Assert.Equal(JobState.Queued, await NextAsync(later));
        Task<JobState> next = NextAsync(later);
        await ClaimAsync();

        // This watcher reads the newer version, which wakes the others.
        await using IAsyncEnumerator<Job> last = Watch(job.Id);
        Assert.Equal(JobState.Running, await NextAsync(last));

        Assert.Equal(JobState.Running, await next);
        await Assert.ThrowsAsync<JobStoreUnavailableException>(() => stays.MoveNextAsync().AsTask().Patiently());
    }

    [Fact]
    public async Task A_waiting_caller_gets_the_job_when_it_ends()
    {
        Job job = await AcceptAsync();
        Task<Job?> waiting = EndAsync(job.Id, Token);
        JobClaim claim = await ClaimAsync();
        Assert.False(waiting.IsCompleted);
        await _store.FinishAsync(claim, Jobs.Success(), Token);
        Assert.Equal(JobState.Succeeded, (await waiting.Patiently())!.State);
    }

    [Fact]
    public async Task A_caller_that_cancels_its_wait_is_released()
    {
        Job job = await AcceptAsync();
        using var leaving = new CancellationTokenSource();
        Task<Job?> waiting = EndAsync(job.Id, leaving.Token);
        await leaving.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting.Patiently());
        await UntilAsync(() => _watch.Count == 0);
    }

    /// <summary>Watches a job to its end, and returns its last version.</summary>
    private async Task<Job?> EndAsync(Guid id, CancellationToken cancellation)
    {
        Job? last = null;
        await foreach (Job job in _watch.WatchAsync(id, 0, cancellation)) last = job;
        return last;
    }

    private IAsyncEnumerator<Job> Watch(Guid id, long after = 0) => _watch.WatchAsync(id, after, Token).GetAsyncEnumerator(Token);

    private static async Task<JobState> NextAsync(IAsyncEnumerator<Job> watcher)
    {
        Assert.True(await watcher.MoveNextAsync().AsTask().Patiently());
        return watcher.Current.State;
    }

    private async Task<Job> AcceptAsync() => (await _store.AcceptAsync(Jobs.New(), Token)).Job;

    private async Task<JobClaim> ClaimAsync() => (await _store.ClaimAsync("me", 1, Jobs.LongLease, Token)).Claims.Single();
}
