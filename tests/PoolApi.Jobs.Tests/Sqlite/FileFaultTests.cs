using Microsoft.Data.Sqlite;
using PoolApi.Jobs.Stores;
using PoolApi.Jobs.Sqlite;
using static PoolApi.TestKit.Patience;

namespace PoolApi.Jobs.Tests.Sqlite;

public sealed class FileFaultTests : IDisposable
{
    private readonly StorePlace _place = new();

    public void Dispose() => _place.Dispose();

    [Fact]
    public async Task A_missing_directory_is_created()
    {
        string path = Path.Combine(_place.Directory, "a", "b", "jobs.db");
        await using (var store = new SqliteJobStore(path, TimeProvider.System))
        {
            await store.OpenAsync(Token);
            await store.AcceptAsync(Jobs.New(), Token);
        }
        Assert.True(File.Exists(path));
    }

    [Fact]
    public async Task An_empty_file_becomes_a_store()
    {
        await File.WriteAllBytesAsync(_place.File, [], Token);
        await using SqliteJobStore store = await _place.OpenAsync();
        Assert.Equal(AcceptOutcome.Created, (await store.AcceptAsync(Jobs.New(), Token)).Outcome);
    }

    [Fact]
    public async Task A_file_that_is_no_database_is_refused_and_left_as_it_is()
    {
        byte[] content = new byte[10_000];
        new Random(1).NextBytes(content);
        await File.WriteAllBytesAsync(_place.File, content, Token);

        Assert.Contains("is not a job store, or it is damaged", await RefusalAsync(), StringComparison.Ordinal);

        Assert.Equal(content, await File.ReadAllBytesAsync(_place.File, Token));
    }

    [Fact]
    public async Task A_file_that_is_damaged_behind_its_first_page_is_refused()
    {
        await using (SqliteJobStore store = await _place.OpenAsync()) await store.AcceptAsync(Jobs.New(), Token);
        byte[] content = await File.ReadAllBytesAsync(_place.File, Token);
        new Random(1).NextBytes(content.AsSpan(4096));
        await File.WriteAllBytesAsync(_place.File, content, Token);

        Assert.Contains("is damaged", await RefusalAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_file_of_a_newer_version_is_refused_and_left_as_it_is()
    {
        await using (SqliteJobStore store = await _place.OpenAsync()) await store.AcceptAsync(Jobs.New(), Token);
        Sql($"PRAGMA user_version = {Schema.Latest + 1}");
        byte[] content = await File.ReadAllBytesAsync(_place.File, Token);

        Assert.Contains("was written by a newer version", await RefusalAsync(), StringComparison.Ordinal);

        Assert.Equal(content, await File.ReadAllBytesAsync(_place.File, Token));
    }

    [Fact]
    public async Task Another_programs_database_is_refused_and_left_as_it_is()
    {
        Sql("CREATE TABLE songs (title TEXT)");
        byte[] content = await File.ReadAllBytesAsync(_place.File, Token);

        Assert.Contains("is a database of another program", await RefusalAsync(), StringComparison.Ordinal);

        Assert.Equal(content, await File.ReadAllBytesAsync(_place.File, Token));
    }

    [Fact]
    public async Task The_error_for_a_directory_that_cannot_be_created_names_the_path()
    {
        await File.WriteAllTextAsync(_place.File, "a file, not a directory", Token);
        string path = Path.Combine(_place.File, "jobs.db");
        await using var store = new SqliteJobStore(path, TimeProvider.System);

        var fault = await Assert.ThrowsAsync<JobStoreException>(() => store.OpenAsync(Token));

        Assert.Contains($"'{path}' cannot be opened", fault.Message, StringComparison.Ordinal);
        Assert.Contains("Jobs:Path", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_path_to_a_directory_is_refused()
    {
        Directory.CreateDirectory(_place.File);
        Assert.Contains("cannot be opened", await RefusalAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_lock_of_another_program_makes_the_store_unavailable_until_it_is_released()
    {
        await using SqliteJobStore store = await _place.OpenAsync();
        await store.AcceptAsync(Jobs.New(), Token);
        await using (var other = new SqliteConnection($"Data Source={_place.File};Pooling=False"))
        {
            other.Open();
            await using SqliteTransaction held = other.BeginTransaction(deferred: false);

            var fault = await Assert.ThrowsAsync<JobStoreUnavailableException>(async () => await store.AcceptAsync(Jobs.New(), Token));

            Assert.Contains("another program keeps it locked", fault.Message, StringComparison.Ordinal);
        }
        Assert.Equal(AcceptOutcome.Created, (await store.AcceptAsync(Jobs.New(), Token)).Outcome);
    }

    /// <summary>The opening waits five seconds for the lock.</summary>
    [Theory]
    [Trait("Category", "Slow")]
    [InlineData("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE")] // no other program can read the file
    [InlineData("BEGIN IMMEDIATE")] // no other program can write it
    public async Task A_store_that_another_program_keeps_locked_is_refused_until_the_lock_is_released(string sql)
    {
        Job kept;
        await using (SqliteJobStore store = await _place.OpenAsync()) kept = (await store.AcceptAsync(Jobs.New(), Token)).Job;
        await using (var other = new SqliteConnection($"Data Source={_place.File};Pooling=False"))
        {
            other.Open();
            Execute(other, sql);

            Assert.Equal($"The job store '{_place.File}' cannot be opened: another program keeps it locked; end that program.", await RefusalAsync());
        }
        await using SqliteJobStore again = await _place.OpenAsync();
        Assert.NotNull(await again.GetAsync(kept.Id, Token));
    }

    [Fact]
    public async Task A_store_opens_through_a_symbolic_link_and_detects_that_its_target_is_deleted()
    {
        if (!OperatingSystem.IsLinux()) Assert.Skip("The test creates a symbolic link, and runs on Linux only.");
        string target = Path.Combine(Directory.CreateDirectory(Path.Combine(_place.Directory, "elsewhere")).FullName, "other.db");
        await File.WriteAllBytesAsync(target, [], Token);
        File.CreateSymbolicLink(_place.File, target);
        await using SqliteJobStore store = await _place.OpenAsync();
        Job job = (await store.AcceptAsync(Jobs.New(), Token)).Job;
        Assert.NotNull(await store.GetAsync(job.Id, Token));

        File.Delete(target);

        await MustBeAwayAsync(store, job.Id);
    }

    [Fact]
    public async Task A_store_whose_file_is_moved_away_is_unavailable_until_the_file_is_back()
    {
        await using SqliteJobStore store = await _place.OpenAsync();
        Job kept = (await store.AcceptAsync(Jobs.New(), Token)).Job;
        string elsewhere = _place.File + ".elsewhere";
        File.Move(_place.File, elsewhere);

        await MustBeAwayAsync(store, kept.Id);
        Assert.False(File.Exists(_place.File), "The store created a new file in its place.");
        File.Move(elsewhere, _place.File);

        Assert.Equal(AcceptOutcome.Created, (await store.AcceptAsync(Jobs.New(), Token)).Outcome);
        Assert.NotNull(await store.GetAsync(kept.Id, Token));
    }

    [Theory]
    [InlineData("")]
    [InlineData("-wal")]
    [InlineData("-shm")]
    [InlineData("-owner")]
    public async Task A_store_is_unavailable_after_one_of_its_files_is_deleted_or_replaced(string ending)
    {
        await using SqliteJobStore store = await _place.OpenAsync();
        Job lost = (await store.AcceptAsync(Jobs.New(), Token)).Job;
        File.Delete(_place.File + ending);

        await MustBeAwayAsync(store, lost.Id);

        await File.WriteAllBytesAsync(_place.File + ending, [], Token); // another file with that name
        await MustBeAwayAsync(store, lost.Id);
    }

    [Fact]
    public async Task A_write_ahead_log_without_its_file_is_kept_and_the_start_is_refused()
    {
        string elsewhere = _place.File + ".elsewhere";
        Job job;
        await using (SqliteJobStore store = await _place.OpenAsync())
        {
            job = (await store.AcceptAsync(Jobs.New(), Token)).Job;
            File.Move(_place.File, elsewhere);
        }
        Assert.True(new FileInfo(_place.File + "-wal").Length > 0);

        Assert.Contains("is not there, but its log", await RefusalAsync(), StringComparison.Ordinal);

        Assert.False(File.Exists(_place.File));
        File.Move(elsewhere, _place.File);
        await using SqliteJobStore again = await _place.OpenAsync();
        Assert.NotNull(await again.GetAsync(job.Id, Token));
    }

    private static async Task MustBeAwayAsync(SqliteJobStore store, Guid known)
    {
        for (int i = 0; i < 4; i++) // more often than there are connections
        {
            var fault = await Assert.ThrowsAsync<JobStoreUnavailableException>(async () => await store.AcceptAsync(Jobs.New(), Token));
            Assert.Contains("was deleted or moved", fault.Message, StringComparison.Ordinal);
            fault = await Assert.ThrowsAsync<JobStoreUnavailableException>(async () => await store.GetAsync(known, Token));
            Assert.Contains("was deleted or moved", fault.Message, StringComparison.Ordinal);
        }
    }

    private async Task<string> RefusalAsync()
    {
        await using SqliteJobStore store = _place.Store();
        var fault = await Assert.ThrowsAsync<JobStoreException>(() => store.OpenAsync(Token));
        Assert.Contains($"'{_place.File}'", fault.Message, StringComparison.Ordinal);
        return fault.Message;
    }

    private void Sql(string sql)
    {
        using var connection = new SqliteConnection($"Data Source={_place.File};Pooling=False");
        connection.Open();
        Execute(connection, sql);
    }

    private static void Execute(SqliteConnection connection, string sql)
    {
        using SqliteCommand command = connection.CreateCommand();
#pragma warning disable CA2100 // the test's own
        command.CommandText = sql;
#pragma warning restore CA2100
        command.ExecuteNonQuery();
    }
}
