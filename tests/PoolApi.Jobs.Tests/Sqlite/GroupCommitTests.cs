using System.Runtime.CompilerServices;
using PoolApi.Jobs.Stores;
using PoolApi.Jobs.Sqlite;
using static PoolApi.TestKit.Patience;

namespace PoolApi.Jobs.Tests.Sqlite;

public sealed class GroupCommitTests : IDisposable
{
    private readonly StorePlace _place = new();
    private readonly HeldWriter _held = new();

    public void Dispose()
    {
        _held.Dispose();
        _place.Dispose();
    }

    [Fact]
    public async Task Writes_that_wait_for_a_commit_share_the_next_commit()
    {
        await using SqliteJobStore store = await OpenHeldAsync();
        long before = store.Commits;
        Task<JobAcceptance>[] accepts = [.. Enumerable.Range(0, 300).Select(_ => store.AcceptAsync(Jobs.New(tags: ["t"]), Token).AsTask())];
        _held.Release();

        JobAcceptance[] accepted = await Task.WhenAll(accepts).Patiently();

        Assert.All(accepted, static a => Assert.Equal(AcceptOutcome.Created, a.Outcome));
        Assert.Equal(before + 1, store.Commits);
        Assert.Equal(300, (await store.ListAsync(new JobQuery { Tag = "t", Limit = 1000 }, Token)).Jobs.Count);
    }

    [Fact]
    public async Task A_write_that_fails_does_not_fail_the_others_in_its_commit()
    {
        await using SqliteJobStore store = await OpenHeldAsync();
        NewJob taken = Jobs.New("taken", key: "a key", tags: ["t"]);
        Task<JobAcceptance>[] accepts =
        [
            store.AcceptAsync(taken, Token).AsTask(),
            store.AcceptAsync(Jobs.New(tags: ["t"]), Token).AsTask(),
            store.AcceptAsync(taken with { Kind = "twice", Idempotency = null }, Token).AsTask(), // its id is taken
            store.AcceptAsync(Jobs.New(tags: ["t"], key: "another key"), Token).AsTask(),
        ];
        _held.Release();

        await Assert.ThrowsAsync<JobStoreException>(() => accepts[2].Patiently());

        foreach (int i in new[] { 0, 1, 3 }) Assert.Equal(AcceptOutcome.Created, (await accepts[i].Patiently()).Outcome);
        Assert.Equal("taken", (await store.GetAsync(taken.Id, Token))!.Kind);
        Assert.Equal(3, (await store.ListAsync(new JobQuery { Tag = "t" }, Token)).Jobs.Count);
        Assert.Equal(4, (await store.CountAsync(Token))[JobState.Queued]);
        Assert.Equal(4, _held.Changes);
    }

    [Fact]
    public async Task A_write_that_is_cancelled_before_its_turn_stores_nothing()
    {
        await using SqliteJobStore store = await OpenHeldAsync();
        using var impatience = new CancellationTokenSource();
        NewJob job = Jobs.New();
        Task<JobAcceptance> accept = store.AcceptAsync(job, impatience.Token).AsTask();
        await impatience.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => accept.Patiently()); // though the writer is held

        _held.Release();
        Assert.Equal(AcceptOutcome.Created, (await store.AcceptAsync(Jobs.New(), Token)).Outcome);
        Assert.Null(await store.GetAsync(job.Id, Token));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_cancelled_accept_releases_the_body_of_its_job_while_the_writer_is_busy(bool claimed)
    {
        await using SqliteJobStore store = await OpenHeldAsync();
        using var impatience = new CancellationTokenSource();
        var (accept, body) = Accept(store, claimed, impatience.Token);
        await impatience.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => accept.Patiently());

        for (int i = 0; i < 10 && body.IsAlive; i++)
        {
            await Task.Yield();
            GC.Collect();
        }

        bool isKept = body.IsAlive;
        _held.Release();
        Assert.False(isKept);
    }

    /// <summary>Not inlined, since a variable of the test would keep the job.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static (Task Accept, WeakReference Body) Accept(SqliteJobStore store, bool claimed, CancellationToken cancellation)
    {
        byte[] body = new byte[1 << 20];
        NewJob job = Jobs.New() with { Payload = new JobPayload(body, "POST", "/v1/work", "", "text/plain") };
        ValueTask<JobAcceptance> accept = claimed
            ? store.AcceptAndClaimAsync(job, "owner", Jobs.LongLease, cancellation)
            : store.AcceptAsync(job, cancellation);
        return (accept.AsTask(), new WeakReference(body));
    }

    [Fact]
    public async Task A_closing_store_completes_its_pending_writes()
    {
        SqliteJobStore store = await OpenHeldAsync();
        Task<JobAcceptance>[] accepts = [.. Enumerable.Range(0, 50).Select(_ => store.AcceptAsync(Jobs.New(), Token).AsTask())];
        ValueTask closing = store.DisposeAsync();
        await Assert.ThrowsAsync<JobStoreUnavailableException>(async () => await store.AcceptAsync(Jobs.New(), Token));
        _held.Release();
        await closing;

        JobAcceptance[] accepted = await Task.WhenAll(accepts).Patiently();
        await Assert.ThrowsAsync<JobStoreUnavailableException>(async () => await store.GetAsync(accepted[0].Job.Id, Token));
        await store.DisposeAsync();

        await using SqliteJobStore again = await _place.OpenAsync();
        Assert.Equal(51, (await again.CountAsync(Token))[JobState.Queued]);
    }

    [Fact]
    public async Task Continuations_of_callers_do_not_run_on_the_threads_of_the_store()
    {
        await using SqliteJobStore store = await _place.OpenAsync();
        for (int i = 0; i < 20; i++)
        {
            foreach (string? thread in await ThreadsAfterAsync(store)) Assert.DoesNotContain("jobs-", thread ?? "", StringComparison.Ordinal);
        }
    }

    /// <summary>The names of the threads that run a caller's continuations of a write and of a read, without a context.</summary>
    private static async Task<string?[]> ThreadsAfterAsync(SqliteJobStore store)
    {
        JobAcceptance accepted = await store.AcceptAsync(Jobs.New(), Token).ConfigureAwait(false);
        string? afterWrite = Thread.CurrentThread.Name;
        await store.GetAsync(accepted.Job.Id, Token).ConfigureAwait(false);
        return [afterWrite, Thread.CurrentThread.Name];
    }

    /// <summary>A store with one job, whose writer is held after its commit.</summary>
    private async Task<SqliteJobStore> OpenHeldAsync()
    {
        SqliteJobStore store = await _place.OpenAsync(_held);
        _ = store.AcceptAsync(Jobs.New("first"), Token).AsTask();
        _held.Held();
        return store;
    }
}
