using Npgsql;
using PoolApi.Jobs.PostgreSql;
using static PoolApi.TestKit.Patience;

namespace PoolApi.Jobs.Tests.Postgres;

/// <summary>P5: the store opens a schema of the first version and continues every job in it.</summary>
[Collection(PostgresTests.Name)]
[Trait("Category", "Slow")]
public sealed class SchemaUpdateTests(PostgresCluster cluster)
{
    private readonly string _schema = PostgresTests.NewSchema();

    [Fact]
    public async Task A_schema_of_the_first_version_opens_and_its_jobs_continue()
    {
        PostgresCluster.Require();
        Guid due = JobId.Next(), paused = JobId.Next(), later = JobId.Next(), running = JobId.Next(), succeeded = JobId.Next();
        await using (NpgsqlConnection old = new(cluster.ConnectionString))
        {
            await old.OpenAsync(Token);
            await Schema.MigrateAsync(old, _schema, to: 1, Token);
            await InsertAsync(old, due, JobState.Queued, "now()");
            await InsertAsync(old, paused, JobState.Queued, "now() - interval '1 millisecond'", attempt: 1);
            await InsertAsync(old, later, JobState.Queued, "now() + interval '1 hour'");
            await InsertAsync(old, running, JobState.Running, "now()", attempt: 1);
            await InsertAsync(old, succeeded, JobState.Succeeded, "now()", attempt: 1);
        }

        await using var store = new PostgreSqlJobStore(cluster.ConnectionString, _schema, PostgresTests.Patient);
        await store.OpenAsync(Token);

        Assert.Equal(5, (await store.ListAsync(new JobQuery { Limit = 10 }, Token)).Jobs.Count);
        Assert.Equal("answer"u8.ToArray(), (await store.GetResultAsync(succeeded, Token))!.Result!.Body.ToArray());
        var claimed = new List<JobClaim>();
        await UntilAsync(async () =>
        {
            await store.MaintainAsync(new MaintenanceRules(TimeSpan.FromDays(1), 3), Token); // the instance that ran one of the jobs is dead
            claimed.AddRange((await store.ClaimAsync($"instance {claimed.Count}", 10, Jobs.LongLease, Token)).Claims);
            return claimed.Count >= 3;
        });
        Assert.Equal(new[] { due, paused, running }.Order(), claimed.Select(static c => c.Job.Id).Order());
        Assert.All(claimed, static c => Assert.Equal("body"u8.ToArray(), c.Payload.Body.ToArray()));
        Assert.Equal(JobState.Queued, (await store.GetAsync(later, Token))!.State);
    }

    private async Task InsertAsync(NpgsqlConnection connection, Guid id, JobState state, string runAt, int attempt = 0)
    {
        await using var command = new NpgsqlCommand(
            $"""
            insert into {_schema}.jobs (id, kind, state, version, attempt, max_attempts, priority, tags, created_at, run_at, finished_at, claim, lease_until, worker)
            values ('{id}', 'diagnostics/noop', {(int)state}, 1, {attempt}, 3, 0, '{"{}"}', now(), {runAt},
              {(state == JobState.Succeeded ? "now()" : "null")}, {attempt}, {(state == JobState.Running ? "now() - interval '1 second'" : "null")}, 'the one before');
            insert into {_schema}.payloads (job_id, method, path, query, body) values ('{id}', 'POST', '/v1/diagnostics/noop', '', 'body');
            insert into {_schema}.results (job_id, status, content_type, body)
            select '{id}', 200, 'text/plain', 'answer' where {(state == JobState.Succeeded ? "true" : "false")};
            """,
            connection);
        await command.ExecuteNonQueryAsync(Token);
    }
}
