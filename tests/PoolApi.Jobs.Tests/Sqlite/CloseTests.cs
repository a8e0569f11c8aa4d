using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Logging;
using PoolApi.Jobs.Stores;
using PoolApi.Jobs.Sqlite;
using static PoolApi.TestKit.Patience;

namespace PoolApi.Jobs.Tests.Sqlite;

/// <summary>After a clean stop the file alone has every job.</summary>
public sealed class CloseTests : IDisposable
{
    private readonly StorePlace _place = new();
    private readonly StorePlace _copy = new();

    public void Dispose()
    {
        _place.Dispose();
        _copy.Dispose();
    }

    [Fact]
    public async Task The_writer_closes_after_every_reader_and_after_the_checkpoint()
    {
        var steps = new List<StoreStep>();
        SqliteJobStore store = _place.Store(observer: (step, _) => { lock (steps) steps.Add(step); });
        await store.OpenAsync(Token);
        await store.AcceptAsync(Jobs.New(), Token);
        lock (steps) steps.Clear();

        await store.DisposeAsync();

        Assert.Equal([StoreStep.ReaderClosed, StoreStep.ReaderClosed, StoreStep.Checkpointed, StoreStep.WriterClosed], steps);
    }

    /// <summary>
    /// Holds the readers while they close. Meanwhile three other stores close completely, so that a writer that did not wait for its readers would
    /// close too.
    /// </summary>
    [Fact]
    public async Task The_writer_waits_for_a_reader_that_is_slow_to_close()
    {
        using var held = new ManualResetEventSlim();
        using var released = new ManualResetEventSlim();
        var steps = new List<(StoreStep Step, bool IsReleased)>();
        SqliteJobStore store = _place.Store(observer: (step, _) =>
        {
            if (step == StoreStep.Synced) return;
            if (step == StoreStep.ReaderClosed)
            {
                held.Set();
                released.Wait(Long);
            }
            lock (steps) steps.Add((step, released.IsSet));
        });
        await store.OpenAsync(Token);
        Job job = (await store.AcceptAsync(Jobs.New(), Token)).Job;

        ValueTask closing = store.DisposeAsync();
        Assert.True(held.Wait(Long, Token));
        await Assert.ThrowsAsync<JobStoreUnavailableException>(async () => await store.AcceptAsync(Jobs.New(), Token));
        await Assert.ThrowsAsync<JobStoreUnavailableException>(async () => await store.GetAsync(job.Id, Token));
        for (int i = 0; i < 3; i++)
        {
            using var place = new StorePlace();
            await using SqliteJobStore other = await place.OpenAsync();
            await other.AcceptAsync(Jobs.New(), Token);
        }
        released.Set();
        await closing;

        Assert.Equal(
            [(StoreStep.ReaderClosed, true), (StoreStep.ReaderClosed, true), (StoreStep.Checkpointed, true), (StoreStep.WriterClosed, true)], steps);
        Assert.Equal(["jobs.db", "jobs.db-owner"], Directory.GetFiles(_place.Directory).Select(Path.GetFileName).Order());
        await MustHaveAllAsync([job.Id]);
    }

    [Fact]
    public async Task The_file_alone_has_every_job_after_repeated_stops_under_load()
    {
        var accepted = new System.Collections.Concurrent.ConcurrentBag<Guid>();
        for (int stop = 0; stop < 12; stop++)
        {
            SqliteJobStore store = await _place.OpenAsync();
            using var enough = new CountdownEvent(20);
            Task[] clients = [.. Enumerable.Range(0, 4).Select(_ => Task.Run(() => WorkAsync(store, accepted, enough), Token))];
            Assert.True(enough.Wait(Long, Token));

            await store.DisposeAsync();

            await Task.WhenAll(clients).Patiently();
            Assert.Equal(["jobs.db", "jobs.db-owner"], Directory.GetFiles(_place.Directory).Select(Path.GetFileName).Order());
        }
        await MustHaveAllAsync([.. accepted]);
    }

    [Fact]
    public async Task The_write_ahead_log_stays_while_another_program_reads_and_a_warning_is_logged()
    {
        var log = new CapturingLog();
        SqliteJobStore store = _place.Store(logger: log.For<SqliteJobStore>());
        await store.OpenAsync(Token);
        Job job = (await store.AcceptAsync(Jobs.New(), Token)).Job;
        await using var other = new SqliteConnection($"Data Source={_place.File};Pooling=False");
        other.Open();
        await using SqliteTransaction reading = other.BeginTransaction(deferred: true);
        await using (SqliteCommand read = other.CreateCommand())
        {
            read.Transaction = reading;
            read.CommandText = "SELECT count(*) FROM jobs";
            Assert.Equal(1L, read.ExecuteScalar());
        }
        await store.DisposeAsync();

        (LogLevel level, string line) = Assert.Single(log.Lines);
        Assert.Equal(LogLevel.Warning, level);
        Assert.Contains($"'{_place.File}-wal' stays beside '{_place.File}': another process uses the store", line, StringComparison.Ordinal);
        File.Copy(_place.File + "-wal", _copy.File + "-wal");
        await MustHaveAllAsync([job.Id]);
    }

    [Fact]
    public async Task A_start_that_waits_for_another_process_can_be_given_up()
    {
        var closed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        SqliteJobStore store = _place.Store(observer: (step, _) =>
        {
            if (step == StoreStep.WriterClosed) closed.TrySetResult();
        });
        // The exclusive lock of a process that prepares the store.
        await using (new FileStream(_place.File + "-owner", FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None))
        {
            using var enough = new CancellationTokenSource();
            Task opening = store.OpenAsync(enough.Token);
            await enough.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => opening);

            await store.DisposeAsync().Patiently();
        }
        await closed.Task.Patiently(); // the abandoned opening got the lock, and the store was closed
        await using SqliteJobStore other = await _place.OpenAsync();
        await other.AcceptAsync(Jobs.New(), Token);
    }

    private static async Task WorkAsync(SqliteJobStore store, System.Collections.Concurrent.ConcurrentBag<Guid> accepted, CountdownEvent enough)
    {
        try
        {
            while (true)
            {
                Guid id = (await store.AcceptAsync(Jobs.New(body: new string('x', 2000)), Token)).Job.Id;
                accepted.Add(id);
                Assert.NotNull(await store.GetAsync(id, Token));
                if (!enough.IsSet) enough.Signal();
            }
        }
        catch (JobStoreUnavailableException)
        {
            // The store is closed.
        }
        catch (InvalidOperationException) when (enough.IsSet)
        {
            // Another client gave the last signal at the same moment.
            await WorkAsync(store, accepted, enough);
        }
    }

    private async Task MustHaveAllAsync(IReadOnlyCollection<Guid> jobs)
    {
        File.Copy(_place.File, _copy.File);
        await using SqliteJobStore copy = await _copy.OpenAsync();
        foreach (Guid id in jobs) Assert.NotNull(await copy.GetAsync(id, Token));
        Assert.Equal(jobs.Count, (await copy.CountAsync(Token))[JobState.Queued]);
    }
}
