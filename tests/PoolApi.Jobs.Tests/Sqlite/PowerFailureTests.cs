using PoolApi.Jobs.Sqlite;
using static PoolApi.TestKit.Patience;

namespace PoolApi.Jobs.Tests.Sqlite;

/// <summary>
/// A process is killed between the write of a commit and its sync. The next process answers from that commit, and then the power fails. The
/// commit must be on the disk.
/// </summary>
public sealed class PowerFailureTests : IDisposable
{
    private readonly StorePlace _first = new();
    private readonly StorePlace _killed = new();
    private readonly StorePlace _left = new();

    public void Dispose()
    {
        _first.Dispose();
        _killed.Dispose();
        _left.Dispose();
    }

    [Theory]
    [InlineData("repeat", true)]
    [InlineData("repeat", false)]
    [InlineData("get", true)]
    [InlineData("list", true)]
    [InlineData("result", true)]
    [InlineData("count", true)]
    [InlineData("cancel", true)]
    public async Task An_unsynced_commit_that_a_restarted_store_answers_from_survives_a_power_failure(string question, bool logIsNamed)
    {
        (NewJob job, Dictionary<string, byte[]> synced) = await KilledBeforeItsSyncAsync();
        // If the log is new, its name has not reached the disk either.
        if (!logIsNamed) synced.Remove("jobs.db-wal");
        var disk = new SyncedDisk(_killed.Directory, synced);
        await using (SqliteJobStore store = _killed.Store(observer: disk.Observe))
        {
            await store.OpenAsync(Token);
            Assert.True(await KnowsAsync(store, job, question));

            SyncedDisk.Write(_left.Directory, disk.Left());
        }

        await using SqliteJobStore after = await _left.OpenAsync();
        Assert.NotNull(await after.GetAsync(job.Id, Token));
    }

    /// <summary>A kill may interrupt the write at any byte, and several commits may be unsynced.</summary>
    [Fact]
    public async Task Jobs_listed_after_a_kill_at_any_moment_survive_a_power_failure()
    {
        Dictionary<string, byte[]> synced, written;
        await using (SqliteJobStore store = await _first.OpenAsync())
        {
            await store.AcceptAsync(Jobs.New(), Token);
            synced = SyncedDisk.Read(_first.Directory);
            for (int i = 0; i < 8; i++) await store.AcceptAsync(Jobs.New(body: new string('x', i * 1500)), Token);
            written = SyncedDisk.Read(_first.Directory);
        }
        var random = new Random(11);
        var shown = new HashSet<int>();
        for (int i = 0; i < 12; i++)
        {
            using var killed = new StorePlace();
            using var left = new StorePlace();
            byte[] log = written["jobs.db-wal"];
            int cut = i == 0 ? log.Length : random.Next(synced["jobs.db-wal"].Length, log.Length);
            SyncedDisk.Write(killed.Directory, new Dictionary<string, byte[]>(written) { ["jobs.db-wal"] = log[..cut] });
            var disk = new SyncedDisk(killed.Directory, synced);
            IReadOnlyList<Job> jobs;
            await using (SqliteJobStore store = killed.Store(observer: disk.Observe))
            {
                await store.OpenAsync(Token);
                jobs = (await store.ListAsync(new JobQuery { Limit = 100 }, Token)).Jobs;
                SyncedDisk.Write(left.Directory, disk.Left());
            }
            shown.Add(jobs.Count);

            await using SqliteJobStore after = await left.OpenAsync();
            Assert.Equal(jobs.Select(static j => j.Id), (await after.ListAsync(new JobQuery { Limit = 100 }, Token)).Jobs.Select(static j => j.Id));
        }
        Assert.True(shown.Count > 3, "The kills hit too few different moments.");
    }

    [Fact]
    public void Each_connection_syncs_the_log_that_it_reads_whenever_it_is_opened()
    {
        var synced = new List<string>();
        using var file = new StoreFile(_first.File, null, (_, path) => synced.Add(path));
        var clock = new StoreClock(TimeProvider.System);
        using WriterSession first = file.OpenFirst(clock);
        foreach (Func<IDisposable> open in new Func<IDisposable>[] { () => file.OpenWriter(clock), file.OpenReader })
        {
            synced.Clear();
            using IDisposable again = open();
            Assert.Equal([_first.File + "-wal", _first.Directory], synced);
        }
    }

    [Fact]
    public async Task Each_directory_created_for_the_store_is_synced_in_its_parent_directory()
    {
        string path = Path.Combine(_first.Directory, "a", "b", "jobs.db");
        var synced = new List<string>();
        await using var store = new SqliteJobStore(path, TimeProvider.System, null, (_, of) => { lock (synced) synced.Add(of); });

        await store.OpenAsync(Token);

        string[] expected = [Path.Combine(_first.Directory, "a", "b"), Path.Combine(_first.Directory, "a"), _first.Directory];
        lock (synced) Assert.Equal(expected, synced.Take(3));
    }

    /// <summary>Leaves the files of a process that is killed before it syncs the commit of a job.</summary>
    /// <returns>The job, and the files that the disk has.</returns>
    private async Task<(NewJob Job, Dictionary<string, byte[]> Synced)> KilledBeforeItsSyncAsync()
    {
        NewJob job = Jobs.New(key: "key");
        await using SqliteJobStore store = await _first.OpenAsync();
        await store.AcceptAsync(Jobs.New(), Token);
        Dictionary<string, byte[]> synced = SyncedDisk.Read(_first.Directory);
        await store.AcceptAsync(job, Token);
        await store.CancelAsync(job.Id, Token);
        SyncedDisk.Write(_killed.Directory, SyncedDisk.Read(_first.Directory));
        return (job, synced);
    }

    /// <summary>Queries the store for the job without a write.</summary>
    private static async Task<bool> KnowsAsync(SqliteJobStore store, NewJob job, string question) => question switch
    {
        "repeat" => (await store.AcceptAsync(Jobs.New(key: "key"), Token)).Outcome == AcceptOutcome.Existing,
        "get" => await store.GetAsync(job.Id, Token) is not null,
        "list" => (await store.ListAsync(new JobQuery(), Token)).Jobs.Any(j => j.Id == job.Id),
        "result" => await store.GetResultAsync(job.Id, Token) is not null,
        "count" => (await store.CountAsync(Token))[JobState.Cancelled] == 1,
        "cancel" => (await store.CancelAsync(job.Id, Token))?.Before == JobState.Cancelled,
        _ => throw new ArgumentException("No such question.", nameof(question)),
    };
}
