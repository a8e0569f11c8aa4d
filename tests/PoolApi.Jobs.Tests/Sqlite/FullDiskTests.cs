using System.Diagnostics;
using PoolApi.Jobs.Stores;
using PoolApi.Jobs.Stores.Sqlite;
using static PoolApi.Jobs.Tests.Patience;

namespace PoolApi.Jobs.Tests.Sqlite;

public sealed class FullDiskTests : IDisposable
{
    private readonly StorePlace _place = new();
    private bool _isMounted;

    public void Dispose()
    {
        if (_isMounted) Run("umount", _place.Directory);
        _place.Dispose();
    }

    [Fact]
    public async Task A_file_that_may_not_grow_refuses_what_needs_room_and_takes_it_when_there_is_room_again()
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
    public async Task One_that_has_no_room_takes_none_with_it_that_has()
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
    public async Task A_disk_that_is_full_refuses_what_is_new_loses_nothing_and_works_again_when_it_is_not()
    {
        MountSmallDisk(megabytes: 8);
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
        Assert.All(claims.Claims, static c => Assert.Equal(30_000, c.Payload.Body.Length));
    }

    [Fact]
    public async Task A_disk_that_cannot_be_written_is_said_so_at_the_start()
    {
        MountSmallDisk(megabytes: 8);
        await using (SqliteJobStore store = await _place.OpenAsync()) await store.AcceptAsync(Jobs.New(), Token);
        Assert.Equal(0, Run("mount", "-o", "remount,ro", _place.Directory));
        await using SqliteJobStore refused = _place.Store();

        var fault = await Assert.ThrowsAsync<JobStoreException>(() => refused.OpenAsync(Token));

        Assert.Contains($"'{_place.File}' cannot be opened", fault.Message, StringComparison.Ordinal);
        Assert.Contains("Let this user write there", fault.Message, StringComparison.Ordinal);
    }

    private static NewJob Big(int bytes) => Jobs.New(body: new string('x', bytes));

    /// <summary>Accepts until there is no room.</summary>
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

    private void MountSmallDisk(int megabytes)
    {
        Assert.SkipUnless(Environment.UserName == "root", "Only root can mount a small disk.");
        _isMounted = Run("mount", "-t", "tmpfs", "-o", $"size={megabytes}m", "tmpfs", _place.Directory) == 0;
        Assert.SkipUnless(_isMounted, "A small disk cannot be mounted here.");
    }

    private static int Run(string program, params string[] arguments)
    {
        using var process = Process.Start(program, arguments);
        process.WaitForExit();
        return process.ExitCode;
    }
}
