using PoolApi.Jobs.Sqlite;
using static PoolApi.TestKit.Patience;

namespace PoolApi.Jobs.Tests.Sqlite;

/// <summary>P5: the store opens a file of the first version and continues every job in it.</summary>
public sealed class SchemaUpdateTests : IDisposable
{
    private readonly StorePlace _place = new();

    public void Dispose() => _place.Dispose();

    [Fact]
    public async Task A_file_of_the_first_version_opens_and_its_jobs_continue()
    {
        DateTimeOffset now = DateTimeOffset.UtcNow;
        Guid due = JobId.Next(), paused = JobId.Next(), later = JobId.Next(), running = JobId.Next(), succeeded = JobId.Next();
        using (Database old = Database.Open(_place.File, mayCreate: true))
        {
            old.Execute("PRAGMA journal_mode = WAL");
            Schema.Update(old, _place.File, to: 1);
            Insert(old, due, 1, JobState.Queued, runAt: now);
            Insert(old, paused, 2, JobState.Queued, runAt: now.AddMilliseconds(-1), attempt: 1);
            Insert(old, later, 3, JobState.Queued, runAt: now.AddHours(1));
            Insert(old, running, 4, JobState.Running, runAt: now, attempt: 1);
            Insert(old, succeeded, 5, JobState.Succeeded, runAt: now, attempt: 1);
            old.Execute("UPDATE counts SET jobs = 3 WHERE state = 0; UPDATE counts SET jobs = 1 WHERE state IN (1, 2)");
        }

        await using SqliteJobStore store = await _place.OpenAsync();

        Assert.Equal(5, (await store.ListAsync(new JobQuery { Limit = 10 }, Token)).Jobs.Count);
        Assert.Equal("answer"u8.ToArray(), (await store.GetResultAsync(succeeded, Token))!.Result!.Body.ToArray());
        await store.MaintainAsync(new MaintenanceRules(TimeSpan.FromDays(1), 3), Token); // the process that ran one of the jobs is dead
        var claimed = new List<JobClaim>();
        for (int i = 0; i < 3; i++) claimed.AddRange((await store.ClaimAsync($"instance {i}", 10, Jobs.LongLease, Token)).Claims);
        Assert.Equal(new[] { due, paused, running }.Order(), claimed.Select(static c => c.Job.Id).Order());
        Assert.All(claimed, static c => Assert.Equal("body"u8.ToArray(), c.Payload.Body.ToArray()));
        Assert.Equal(JobState.Queued, (await store.GetAsync(later, Token))!.State);
    }

    private static void Insert(Database database, Guid id, int row, JobState state, DateTimeOffset runAt, int attempt = 0)
    {
        long at = Timestamps.ToMicroseconds(runAt), created = Timestamps.ToMicroseconds(DateTimeOffset.UtcNow);
        string ended = state == JobState.Succeeded ? $"{created}" : "NULL", result = state == JobState.Succeeded ? $"{row}" : "NULL";
        string lease = state == JobState.Running ? $"{created + 60_000_000}" : "NULL";
        database.Execute(
            $"""
            INSERT INTO payloads VALUES ({row}, 'POST', '/v1/diagnostics/noop', '', NULL, NULL, CAST('body' AS BLOB));
            INSERT INTO results VALUES ({row}, 200, 'text/plain', CAST('answer' AS BLOB));
            INSERT INTO jobs (id, kind, state, version, attempt, max_attempts, priority, created_at, run_at, finished_at, cancel, claim, ended_claim,
              redeliveries, lease, payload, result, swept, worker)
            VALUES (x'{Convert.ToHexString(id.ToByteArray(bigEndian: true))}', 'diagnostics/noop', {(int)state}, 1, {attempt}, 3, 0, {created}, {at}, {ended},
              0, {attempt}, 0, 0, {lease}, {row}, {result}, 0, 'the one before');
            """);
    }
}
