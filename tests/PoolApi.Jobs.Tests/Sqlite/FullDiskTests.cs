using PoolApi.Jobs.Stores;
using PoolApi.Jobs.Sqlite;
using static PoolApi.TestKit.Patience;

namespace PoolApi.Jobs.Tests.Sqlite;

public sealed class FullDiskTests : IDisposable
{
    private StorePlace _place = new();
    private SmallDisk? _disk;

    public void Dispose()
    {
        _place.Dispose();
        _disk?.Dispose();
    }

    [Fact]
    public async Task A_file_at_its_size_limit_rejects_new_jobs_and_accepts_them_after_a_sweep()
    {
        await using SqliteJobStore store = await _place.OpenAsync(maxPages: 200);
        for (int i = 0; i < 20; i++)
        {
            Job ended = (await store.AcceptAsync(Big(10_000), Token)).Job;
            await store.CancelAsync(ended.Id, Token);
        }

        (List<Guid> accepted, Guid refused) = await FillAsync(store, 10_000);

        Assert.Null(await store.GetAsync(refused, Token));
        foreach (Guid id in accepted) Assert.NotNull(await store.GetAsync(id, Token));
        Assert.Equal(accepted.Count, (await store.CountAsync(Token))[JobState.Queued]);
        Assert.Equal(20, (await store.MaintainAsync(new MaintenanceRules(TimeSpan.Zero, 1), Token)).Swept);
        Assert.Equal(AcceptOutcome.Created, (await store.AcceptAsync(Big(10_000), Token)).Outcome);
    }

    [Fact]
    public async Task A_job_without_room_does_not_fail_the_jobs_that_share_its_commit()
    {
        using var held = new HeldWriter();
        await using SqliteJobStore store = await _place.OpenAsync(held, maxPages: 200);
        _ = store.AcceptAsync(Jobs.New(), Token).AsTask();
        held.Held();
        Task<JobAcceptance> small = store.AcceptAsync(Jobs.New(), Token).AsTask();
        Task<JobAcceptance> big = store.AcceptAsync(Big(2_000_000), Token).AsTask();
        Task<JobAcceptance> another = store.AcceptAsync(Jobs.New(), Token).AsTask();
        held.Release();

        await Assert.ThrowsAsync<JobStoreUnavailableException>(() => big.Patiently());

        Assert.Equal(AcceptOutcome.Created, (await small.Patiently()).Outcome);
        Assert.Equal(AcceptOutcome.Created, (await another.Patiently()).Outcome);
        Assert.Equal(3, (await store.CountAsync(Token))[JobState.Queued]);
    }

    [Fact]
    public async Task A_store_on_a_full_disk_loses_no_job_and_accepts_again_with_free_space()
    {
        await MountAsync(megabytes: 8);
        string filler = Path.Combine(_place.Directory, "filler");
        await File.WriteAllBytesAsync(filler, new byte[3_000_000], Token);
        List<Guid> accepted;
        await using (SqliteJobStore store = await _place.OpenAsync())
        {
            (accepted, Guid refused) = await FillAsync(store, 30_000);
            Assert.Null(await store.GetAsync(refused, Token));
            await Assert.ThrowsAsync<JobStoreUnavailableException>(async () => await store.AcceptAsync(Big(100_000), Token));

            File.Delete(filler);

            accepted.Add((await store.AcceptAsync(Big(30_000), Token)).Job.Id);
        }
        await using SqliteJobStore again = await _place.OpenAsync();
        foreach (Guid id in accepted) Assert.NotNull(await again.GetAsync(id, Token));
        Assert.Equal(accepted.Count, (await again.CountAsync(Token))[JobState.Queued]);
        JobClaims claims = await again.ClaimAsync("me", 1000, Jobs.LongLease, Token);
        Assert.Equal(accepted.Order(), claims.Claims.Select(static c => c.Job.Id).Order());
        Assert.All(claims.Claims, static c => Assert.Equal(30_000, c.BodyBytes));
        foreach (JobClaim claim in claims.Claims.Where(static c => c.UnreadBytes > 0)) Assert.Equal(30_000, (await again.ReadBodyAsync(claim, Token))!.Value.Length);
    }

    [Fact]
    public async Task The_start_on_a_read_only_disk_fails_with_an_error_that_names_the_file()
    {
        SmallDisk disk = await MountAsync(megabytes: 8);
        await using (SqliteJobStore store = await _place.OpenAsync()) await store.AcceptAsync(Jobs.New(), Token);
        await disk.MakeReadOnlyAsync();
        await using SqliteJobStore refused = _place.Store();

        var fault = await Assert.ThrowsAsync<JobStoreException>(() => refused.OpenAsync(Token));

        Assert.Contains($"'{_place.File}' cannot be opened", fault.Message, StringComparison.Ordinal);
        Assert.Contains("Let this user write there", fault.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task After_a_start_on_a_full_disk_stored_jobs_are_read_and_new_ones_rejected(bool isStoppedCleanly)
    {
        SmallDisk disk = await MountAsync(megabytes: 4);
        (Job waiting, Job running) = await LeaveAsync(isStoppedCleanly);
        disk.Fill();

        await using (SqliteJobStore store = await _place.OpenAsync())
        {
            Assert.Equal(JobState.Queued, (await store.GetAsync(waiting.Id, Token))!.State);
            Assert.NotNull(await store.GetResultAsync(waiting.Id, Token));
            Assert.Equal([running.Id, waiting.Id], (await store.ListAsync(new JobQuery(), Token)).Jobs.Select(static j => j.Id));
            Assert.Equal(AcceptOutcome.Existing, (await store.AcceptAsync(Jobs.New(key: "waiting"), Token)).Outcome);
            var fault = await Assert.ThrowsAsync<JobStoreUnavailableException>(async () => await store.AcceptAsync(Big(40_000), Token));
            Assert.Contains("the disk is full", fault.Message, StringComparison.Ordinal);
            disk.Empty();

            Assert.Equal(AcceptOutcome.Created, (await store.AcceptAsync(Big(40_000), Token)).Outcome);
            // Maintenance finds the job of the dead process at once, as after a start on a disk with room.
            Assert.Equal(1, (await store.MaintainAsync(new MaintenanceRules(TimeSpan.FromDays(1), 3), Token)).Redelivered[running.Kind]);
        }
        await using SqliteJobStore again = await _place.OpenAsync();
        Assert.Equal(3, (await again.CountAsync(Token))[JobState.Queued]);
    }

    [Fact]
    public async Task A_store_opens_on_a_disk_too_full_to_read_it_and_works_once_space_is_free()
    {
        SmallDisk disk = await MountAsync(megabytes: 4);
        (Job waiting, _) = await LeaveAsync(isStoppedCleanly: true);
        await File.WriteAllBytesAsync(_place.File + "-owner", [], Token); // as if no disk space had been reserved
        disk.Fill();
        await MustOpenWithoutRoomAsync(waiting.Id, disk.Empty);
    }

    [Fact]
    public async Task A_store_opens_on_a_disk_without_free_inodes_and_works_once_some_are_free()
    {
        await MountAsync(megabytes: 4, "nr_inodes=10");
        (Job waiting, _) = await LeaveAsync(isStoppedCleanly: true);
        var fillers = new List<string>();
        try
        {
            while (true)
            {
                string filler = Path.Combine(_place.Directory, $"filler-{fillers.Count}");
                await File.WriteAllBytesAsync(filler, [], Token);
                fillers.Add(filler);
            }
        }
        catch (IOException)
        {
        }
        await MustOpenWithoutRoomAsync(waiting.Id, () => fillers.ForEach(File.Delete));
    }

    [Fact]
    public async Task A_new_store_opens_on_a_full_disk_and_is_created_once_space_is_free()
    {
        SmallDisk disk = await MountAsync(megabytes: 4);
        disk.Fill();
        await MustOpenWithoutRoomAsync(null, disk.Empty);
    }

    private async Task MustOpenWithoutRoomAsync(Guid? known, Action makeRoom)
    {
        var log = new CapturingLog();
        await using SqliteJobStore store = _place.Store(logger: log.For<SqliteJobStore>());
        await store.OpenAsync(Token);
        Assert.Contains("the disk is full", Assert.Single(log.Texts), StringComparison.Ordinal);
        Assert.False(store.IsShared);
        for (int i = 0; i < 3; i++)
        {
            var fault = await Assert.ThrowsAsync<JobStoreUnavailableException>(async () => await store.GetAsync(known ?? Guid.Empty, Token));
            Assert.Contains("the disk is full", fault.Message, StringComparison.Ordinal);
            await Assert.ThrowsAsync<JobStoreUnavailableException>(async () => await store.AcceptAsync(Jobs.New(), Token));
        }
        makeRoom();

        Job job = (await store.AcceptAsync(Jobs.New(), Token)).Job;

        Assert.NotNull(await store.GetAsync(job.Id, Token));
        if (known is { } id) Assert.NotNull(await store.GetAsync(id, Token));
    }

    /// <summary>Leaves a store with a scheduled job and a job that its process ran.</summary>
    private async Task<(Job Waiting, Job Running)> LeaveAsync(bool isStoppedCleanly)
    {
        using var living = new StorePlace();
        Job waiting, running;
        await using (SqliteJobStore store = isStoppedCleanly ? await _place.OpenAsync() : await living.OpenAsync())
        {
            waiting = (await store.AcceptAsync(Jobs.New(key: "waiting", runAt: DateTimeOffset.UtcNow.AddHours(1)), Token)).Job;
            running = (await store.AcceptAsync(Jobs.New(), Token)).Job;
            Assert.Single((await store.ClaimAsync("dead", 1, Jobs.LongLease, Token)).Claims);
            // A process that was killed leaves the log and its index.
            if (!isStoppedCleanly)
            {
                foreach (string file in Directory.GetFiles(living.Directory)) File.Copy(file, Path.Combine(_place.Directory, Path.GetFileName(file)));
            }
        }
        return (waiting, running);
    }

    private static NewJob Big(int bytes) => Jobs.New(body: new string('x', bytes));

    /// <summary>Accepts jobs until the store is full.</summary>
    private static async Task<(List<Guid> Accepted, Guid Refused)> FillAsync(SqliteJobStore store, int bytes)
    {
        var accepted = new List<Guid>();
        while (true)
        {
            Assert.True(accepted.Count < 1000, "The disk does not become full.");
            NewJob job = Big(bytes);
            try
            {
                Assert.Equal(AcceptOutcome.Created, (await store.AcceptAsync(job, Token)).Outcome);
                accepted.Add(job.Id);
            }
            catch (JobStoreUnavailableException e)
            {
                Assert.Contains("full", e.Message, StringComparison.Ordinal);
                return (accepted, job.Id);
            }
        }
    }

    /// <summary>Mounts a small disk, and has the store on it from now on.</summary>
    private async Task<SmallDisk> MountAsync(int megabytes, string? option = null)
    {
        _disk = await SmallDisk.MountAsync(megabytes, option);
        _place.Dispose();
        _place = new StorePlace(_disk.Path);
        return _disk;
    }
}
