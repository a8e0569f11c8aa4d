using System.Buffers.Binary;
using System.Text;
using Npgsql;

namespace PoolApi.EndToEnd.Jobs;

/// <summary>The store's file: a file that cannot be used stops the start with a message and exit code 78, and stays unchanged.</summary>
public sealed class StoreFileTests(SharedPostgres postgres)
{
    private const int CouldNotStart = 78;

    // The offset in SQLite's file format. The value is a big-endian number.
    private const int UserVersionAt = 60;

    /// <summary>Jobs/Files/jobs-v1.db has the schema of the first version, so this test runs all migrations. The file was made by hand: a
    /// job that has succeeded, with tag and key, and one that is due in 2100. It must not be changed.</summary>
    [Theory, ClassData(typeof(OneForm))]
    public async Task A_file_of_the_first_version_opens_with_all_that_is_in_it(ServiceForm form)
    {
        using var data = new TemporaryFolder();
        string path = Copy(data);
        await using var service = await PoolApiProcess.StartAsync(
            form, "--Pool:Workers 1", PoolApiProcess.Diagnostics, $"--Jobs:Path {path}", "--Jobs:Retention 3650.00:00:00");

        var jobs = await service.Api.JobsAsync("tag=first-version");

        var (ended, waiting) = (jobs.Single(job => job.State == "succeeded"), jobs.Single(job => job.State == "queued"));
        Assert.Equal(2, jobs.Count);
        Assert.Equal("done\n", (await service.Api.ResultAsync(ended.Id)).MustBe(200).Text);
        Assert.Equal(ended.Id, await service.Api.AcceptJobAsync("/v1/diagnostics/noop", "Job-Tags: first-version", "Idempotency-Key: first-version"));
        (await service.Api.CancelJobAsync(waiting.Id)).MustBe(204);
        var again = JobRequests.IdOf(await service.Api.RetryJobAsync(waiting.Id));
        Assert.Equal("succeeded", (await service.Api.JobEndsAsync(again)).State);
    }

    /// <summary><c>SecondVersionTests</c> of PoolApi.Jobs.Tests describe the content of these files.</summary>
    [Theory]
    [InlineData(JobStore.Sqlite)]
    [InlineData(JobStore.Postgres)]
    public async Task Jobs_stored_by_the_second_version_are_listed_and_run_and_keep_their_results(JobStore store)
    {
        using var data = new TemporaryFolder();
        string files = Path.Combine(Repository.Root, "tests", "PoolApi.Jobs.Tests", "Files"), file = Path.Combine(data.Path, "jobs.db");
        string[] place = [$"--Jobs:Path {file}"];
        if (store == JobStore.Postgres)
        {
            string database = await postgres.NewDatabaseAsync();
            await using var connection = new NpgsqlConnection(database + ";Pooling=false");
            await connection.OpenAsync(TestContext.Current.CancellationToken);
            await using var restore = new NpgsqlCommand(await File.ReadAllTextAsync(Path.Combine(files, "jobs-v2.sql"), TestContext.Current.CancellationToken), connection);
            await restore.ExecuteNonQueryAsync(TestContext.Current.CancellationToken);
            place = ["--Jobs:Store postgres", $"--Jobs:ConnectionString {database}"];
        }
        else
        {
            File.Copy(Path.Combine(files, "jobs-v2.db"), file);
        }
        await using var service = await PoolApiProcess.StartAsync(
            ServiceForm.Any, ["--Pool:Workers 1", PoolApiProcess.Diagnostics, "--Jobs:Retention 3650.00:00:00", .. place]);

        var jobs = await service.Api.JobsAsync("tag=before");

        Assert.Equal(8, jobs.Count);
        foreach (var job in jobs.Where(job => !job.Tags.Contains("later"))) await service.Api.JobEndsAsync(job.Id);
        jobs = await service.Api.JobsAsync("tag=before");
        Assert.Equal(
            [
                "cancelled 0 diagnostics/noop before", "failed 1 thumbnails before", "queued 0 diagnostics/noop before later",
                "succeeded 1 diagnostics/hash before first", "succeeded 1 diagnostics/noop before traced", "succeeded 1 thumbnails before",
                "succeeded 1 thumbnails before queued", "succeeded 2 diagnostics/sleep before running",
            ],
            jobs.Select(job => $"{job.State} {job.Attempt} {job.Kind} {string.Join(' ', job.Tags)}").Order(StringComparer.Ordinal));
        Assert.StartsWith("RIFF", (await ResultAsync("thumbnails before")).MustBe(200).Text, StringComparison.Ordinal);
        Assert.Contains("PNG", (await ResultAsync("thumbnails before queued")).MustBe(200).Text, StringComparison.Ordinal);
        Assert.Equal(65, (await ResultAsync("diagnostics/hash before first")).MustBe(200).Text.Length);
        Assert.Equal("done\n", (await ResultAsync("diagnostics/noop before traced")).MustBe(200).Text);
        (await service.Api.ResultAsync(Of("thumbnails before", "failed"))).MustBeProblem(422, "unprocessable-image");
        Assert.Equal(Of("diagnostics/hash before first"), await service.Api.AcceptJobAsync("/v1/diagnostics/hash?iterations=1000", "Idempotency-Key: key-1"));

        Guid Of(string what, string state = "succeeded") => jobs.Single(job => job.State == state && $"{job.Kind} {string.Join(' ', job.Tags)}" == what).Id;

        Task<Answer> ResultAsync(string what) => service.Api.ResultAsync(Of(what));
    }

    [Fact]
    public async Task Two_services_with_a_schema_each_share_a_database_and_no_jobs()
    {
        string database = await postgres.NewDatabaseAsync();
        string[] settings = ["--Jobs:Store postgres", $"--Jobs:ConnectionString {database}", PoolApiProcess.Diagnostics];
        await using var shop = await PoolApiProcess.StartAsync(ServiceForm.Any, [.. settings, "--Jobs:Schema shop"]);
        await using var plain = await PoolApiProcess.StartAsync(ServiceForm.Any, settings);

        Guid sold = await shop.Api.AcceptJobAsync("/v1/diagnostics/noop", "Idempotency-Key: key"), own = await plain.Api.AcceptJobAsync("/v1/diagnostics/noop", "Idempotency-Key: key");

        Assert.Equal("succeeded", (await shop.Api.JobEndsAsync(sold)).State);
        Assert.Equal("succeeded", (await plain.Api.JobEndsAsync(own)).State);
        Assert.Equal([sold], (await shop.Api.JobsAsync("")).Select(job => job.Id));
        Assert.Equal([own], (await plain.Api.JobsAsync("")).Select(job => job.Id));
        await using var connection = new NpgsqlConnection(database + ";Pooling=false");
        await connection.OpenAsync(TestContext.Current.CancellationToken);
        await using var ids = new NpgsqlCommand("select shop.jobs.id, poolapi.jobs.id from shop.jobs, poolapi.jobs", connection);
        await using NpgsqlDataReader row = await ids.ExecuteReaderAsync(TestContext.Current.CancellationToken);
        Assert.True(await row.ReadAsync(TestContext.Current.CancellationToken));
        Assert.Equal((sold, own), (row.GetGuid(0), row.GetGuid(1)));
    }

    [Theory, ClassData(typeof(OneForm))]
    public async Task A_file_of_a_newer_version_is_refused(ServiceForm form)
    {
        using var data = new TemporaryFolder();
        string path = Copy(data);
        byte[] file = await File.ReadAllBytesAsync(path, TestContext.Current.CancellationToken);
        BinaryPrimitives.WriteInt32BigEndian(file.AsSpan(UserVersionAt), 1000);
        await MustBeRefusedAsync(form, path, file, "newer", "1000");
    }

    /// <summary>P5: the service does not accept a job that a later start would not find.</summary>
    [Fact]
    public async Task A_service_whose_store_file_is_deleted_refuses_jobs_and_is_not_ready()
    {
        using var data = new TemporaryFolder();
        await using var service = await PoolApiProcess.StartAsync(
            ServiceForm.NativeAot, "--Pool:Workers 1", PoolApiProcess.Diagnostics, $"--Jobs:Path {Path.Combine(data.Path, "jobs.db")}");
        await service.Api.AcceptJobAsync("/v1/diagnostics/noop");
        foreach (string file in Directory.GetFiles(data.Path, "jobs.db*")) File.Delete(file);

        (await service.Api.PostWithAsync("/v1/diagnostics/noop", null, "Prefer: respond-async")).MustBeProblem(503, "store-unavailable");

        Assert.Contains("deleted", (await service.Management.GetAsync("/readyz")).MustBe(503).Text, StringComparison.Ordinal);
        (await service.Api.PostAsync("/v1/diagnostics/noop")).MustBe(200);
    }

    /// <summary>The two processes cannot detect each other. The one whose files were replaced must not undo jobs that the other accepted.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_service_does_not_undo_the_jobs_of_a_process_that_took_over_its_store_files(bool firstStopsFirst)
    {
        using var data = new TemporaryFolder();
        // The stop of the first repeats its last writes until the drain is over.
        string[] settings = ["--Pool:Workers 1", PoolApiProcess.Diagnostics, $"--Jobs:Path {Path.Combine(data.Path, "jobs.db")}", "--Shutdown:Drain 00:00:05"];
        await using var first = await PoolApiProcess.StartAsync(ServiceForm.NativeAot, settings);
        await first.Api.AcceptJobAsync("/v1/diagnostics/noop");
        File.Delete(Path.Combine(data.Path, "jobs.db-shm"));
        await using var second = await PoolApiProcess.StartAsync(ServiceForm.NativeAot, settings);
        List<Guid> promised = [];
        for (int i = 0; i < 20; i++)
            promised.Add(await second.Api.AcceptJobAsync("/v1/diagnostics/noop"));

        (await first.Api.PostWithAsync("/v1/diagnostics/noop", null, "Prefer: respond-async")).MustBeProblem(503, "store-unavailable");
        foreach (var service in firstStopsFirst ? new[] { first, second } : [second, first])
        {
            service.Send(UnixSignal.Terminate);
            await service.WaitForExitAsync();
        }

        await using var again = await PoolApiProcess.StartAsync(ServiceForm.NativeAot, settings);
        foreach (var id in promised)
            Assert.Equal("succeeded", (await again.Api.JobEndsAsync(id)).State);
    }

    [Fact]
    public async Task A_file_that_is_no_database_is_refused()
    {
        using var data = new TemporaryFolder();
        await MustBeRefusedAsync(ServiceForm.NativeAot, Path.Combine(data.Path, "jobs.db"), Encoding.UTF8.GetBytes(new string('x', 100_000)));
    }

    [Fact]
    public async Task A_corrupt_file_is_refused()
    {
        using var data = new TemporaryFolder();
        string path = Copy(data);
        byte[] file = await File.ReadAllBytesAsync(path, TestContext.Current.CancellationToken);
        // The first page's header stays, so that it looks like a database.
        new Random(1).NextBytes(file.AsSpan(100));
        await MustBeRefusedAsync(ServiceForm.NativeAot, path, file);
    }

    [Theory]
    [InlineData("/proc/jobs/jobs.db")]
    [InlineData("/proc/jobs.db")]
    [InlineData("/dev/null/jobs.db")]
    [InlineData("/tmp")]
    public async Task A_place_that_cannot_be_written_is_refused(string path)
    {
        var run = await StartAsync(ServiceForm.NativeAot, path);

        MustFailToStart(run, path);
    }

    private static string Copy(TemporaryFolder to)
    {
        string path = Path.Combine(to.Path, "jobs.db");
        File.Copy(Path.Combine(AppContext.BaseDirectory, "Jobs", "Files", "jobs-v1.db"), path);
        return path;
    }

    private static async Task MustBeRefusedAsync(ServiceForm form, string path, byte[] file, params string[] words)
    {
        await File.WriteAllBytesAsync(path, file, TestContext.Current.CancellationToken);

        var run = await StartAsync(form, path);

        MustFailToStart(run, [path, .. words]);
        Assert.Equal(file, await File.ReadAllBytesAsync(path, TestContext.Current.CancellationToken));
    }

    private static Task<ProgramRun> StartAsync(ServiceForm form, string path) => PoolApiProcess.RunToEndAsync(
        form, $"--Urls http://127.0.0.1:{FreePorts.Next()}", $"--Management:Urls http://127.0.0.1:{FreePorts.Next()}", $"--Jobs:Path {path}");

    private static void MustFailToStart(ProgramRun run, params string[] words)
    {
        Assert.True(run.ExitCode == CouldNotStart, $"exit {run.ExitCode}:\n{run.Text}");
        string failure = Assert.Single(run.Lines, line => line.Contains("cannot start", StringComparison.Ordinal));
        Assert.All(words, word => Assert.Contains(word, failure, StringComparison.OrdinalIgnoreCase));
        Assert.DoesNotContain(run.Lines, line => line.Contains("   at ", StringComparison.Ordinal));
    }
}
