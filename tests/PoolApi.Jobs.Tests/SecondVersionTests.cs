using System.Text;
using Npgsql;
using PoolApi.Jobs.PostgreSql;
using PoolApi.Jobs.Sqlite;
using PoolApi.Jobs.Stores;
using PoolApi.Jobs.Tests.Postgres;
using PoolApi.Jobs.Tests.Sqlite;
using static PoolApi.TestKit.Patience;

namespace PoolApi.Jobs.Tests;

/// <summary>
/// P5: the store opens the data of a service of the schema's second version, lists and runs its jobs, and returns its results.
/// <c>Files/jobs-v2.db</c> and <c>Files/jobs-v2.sql</c> (a dump) are from such a service, killed while it ran a job. Changed by hand: the scheduled
/// job is due in 2100, the running job has a progress, and the job with the tag "traced" has only a traceparent, as the first version wrote it.
/// </summary>
[Collection(PostgresTests.Name)]
[Trait("Category", "Slow")]
public sealed class SecondVersionTests(PostgresCluster cluster)
{
    private static readonly string Files = Path.Combine(AppContext.BaseDirectory, "Files");
    private static readonly MaintenanceRules Rules = new(TimeSpan.FromDays(36500), MaxRedeliveries: 3);

    [Fact]
    public async Task A_file_of_the_second_version_opens_and_its_jobs_continue()
    {
        using var place = new StorePlace();
        File.Copy(Path.Combine(Files, "jobs-v2.db"), place.File);
        await using SqliteJobStore store = await place.OpenAsync();
        await JobsGoOnAsync(store);
    }

    [Fact]
    public async Task A_restored_dump_of_the_second_version_opens_and_its_jobs_continue()
    {
        PostgresCluster.Require();
        string database = $"d_{Guid.NewGuid():N}", connect = $"{cluster.ConnectionString};Pooling=false".Replace("Database=postgres", $"Database={database}", StringComparison.Ordinal);
        await cluster.ExecuteAsync($"create database {database}");
        await using (var connection = new NpgsqlConnection(connect))
        {
            await connection.OpenAsync(Token);
            await using var restore = new NpgsqlCommand(await File.ReadAllTextAsync(Path.Combine(Files, "jobs-v2.sql"), Token), connection);
            await restore.ExecuteNonQueryAsync(Token);
        }
        await using (var store = new PostgreSqlJobStore(connect, "poolapi", PostgresTests.Patient))
        {
            await store.OpenAsync(Token);
            await JobsGoOnAsync(store);
        }
        await cluster.ExecuteAsync($"drop database {database} with (force)");
    }

    private static async Task JobsGoOnAsync(IJobStore store)
    {
        IReadOnlyList<Job> jobs = (await store.ListAsync(new JobQuery { Tag = "before" }, Token)).Jobs;
        Assert.Equal(
            ["cancelled diagnostics/noop", "failed thumbnails", "succeeded diagnostics/hash", "succeeded thumbnails"],
            jobs.Where(static j => j.State.IsFinal()).Select(static j => $"{j.State.ToWord()} {j.Kind}").Order());
        Job failed = jobs.Single(static j => j.State == JobState.Failed), hashed = jobs.Single(static j => j.Tags.Contains("first"));
        Assert.Equal("unprocessable-image", failed.Error!.Name);
        JobResult? refusal = (await store.GetResultAsync(failed.Id, Token))!.Result, hash = (await store.GetResultAsync(hashed.Id, Token))!.Result;
        Assert.Equal((422, "application/problem+json"), (refusal!.Status, refusal.ContentType));
        Assert.Equal((200, "text/plain; charset=utf-8", 65), (hash!.Status, hash.ContentType, hash.Body.Length));
        Assert.StartsWith("RIFF", Encoding.Latin1.GetString((await store.GetResultAsync(
            jobs.Single(static j => j is { Kind: "thumbnails", State: JobState.Succeeded }).Id, Token))!.Result!.Body.Span), StringComparison.Ordinal);

        JobAcceptance other = await store.AcceptAsync(Jobs.New("diagnostics/hash", key: "key-1"), Token);
        Assert.Equal((AcceptOutcome.OtherRequest, hashed.Id), (other.Outcome, other.Job.Id));

        var claimed = new List<JobClaim>();
        await UntilAsync(async () =>
        {
            await store.MaintainAsync(Rules, Token); // the instance that ran one of the jobs is dead
            claimed.AddRange((await store.ClaimAsync("now", 10, Jobs.LongLease, Token)).Claims);
            return claimed.Count >= 3;
        });
        Assert.Equal(["diagnostics/noop", "diagnostics/sleep", "thumbnails"], claimed.Select(static c => c.Job.Kind).Order());
        JobClaim image = claimed.Single(static c => c.Job.Kind == "thumbnails"), traced = claimed.Single(static c => c.Job.Tags.Contains("traced"));
        JobClaim ran = claimed.Single(static c => c.Job.Kind == "diagnostics/sleep");
        Assert.Equal(["POST", "/v1/thumbnails", "?width=30&format=png", "image/png"], image.Payload.Metadata.Take(4));
        Assert.Matches("^00-[0-9a-f]{32}-[0-9a-f]{16}-0[01] \\{\"host\":\"127\\.0\\.0\\.1:[0-9]+\"\\}$", image.Payload.Metadata[4]);
        Assert.Equal([0x89, (byte)'P', (byte)'N', (byte)'G'], image.Payload.Body[..4].ToArray());
        Assert.Equal(["POST", "/v1/diagnostics/noop", "", null, "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"], traced.Payload.Metadata);
        Assert.Equal((2, 1, false), (ran.Job.Attempt, ran.Redeliveries, ran.IsFirst));
        foreach (JobClaim claim in claimed) Assert.True(await store.FinishAsync(claim, Jobs.Success("now"), Token));
        Assert.Equal("now"u8.ToArray(), (await store.GetResultAsync(ran.Job.Id, Token))!.Result!.Body.ToArray());

        Job later = Assert.Single((await store.ListAsync(new JobQuery { State = JobState.Queued }, Token)).Jobs);
        Assert.Equal(["before", "later"], later.Tags);
        Assert.Equal(2100, later.RunAt.Year);
    }
}
