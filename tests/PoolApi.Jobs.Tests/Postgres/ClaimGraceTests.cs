using Npgsql;
using PoolApi.Jobs.PostgreSql;
using static PoolApi.TestKit.Patience;

namespace PoolApi.Jobs.Tests.Postgres;

/// <summary>Before its first claim a store asks the server whether a crash may have undone claims.</summary>
[Collection(PostgresTests.Name)]
[Trait("Category", "Slow")]
public sealed class ClaimGraceTests(PostgresCluster cluster)
{
    private const int Queued = 20_000;

    private readonly string _schema = PostgresTests.NewSchema();
    private readonly string _shadow = PostgresTests.NewSchema(); // the server finds a view of this schema before its own statistics

    [Theory]
    [InlineData("0A000")] // a compatible server that does not have them
    [InlineData("42501")] // an operator has revoked them
    public async Task A_server_that_refuses_its_statistics_delays_the_first_claim_only(string state)
    {
        PostgresCluster.Require();
        await cluster.ExecuteAsync(
            $"""
            create schema {_shadow};
            create function {_shadow}.refuse() returns timestamptz language plpgsql as $$
              begin raise exception 'pg_stat_get_wal() is not supported' using errcode = '{state}'; end $$;
            create view {_shadow}.pg_stat_wal as select {_shadow}.refuse() as stats_reset;
            """);
        await using PostgreSqlJobStore store = await OpenAsync();
        Job job = (await store.AcceptAsync(Jobs.New(), Token)).Job;

        Assert.True((await store.ClaimAsync("me", 1, Jobs.LongLease, Token)).IsPaused);

        JobClaim? claim = null;
        await UntilAsync(
            async () => (claim = (await store.ClaimAsync("me", 1, Jobs.LongLease, Token)).Claims.SingleOrDefault()) is not null, "That the job is claimed");
        Assert.Equal(job.Id, claim!.Job.Id);
    }

    [Fact]
    public async Task The_check_for_claims_undone_by_a_crash_does_not_read_the_whole_queue()
    {
        PostgresCluster.Require();
        // Simulates a server that recovered from a crash before the jobs were accepted.
        await cluster.ExecuteAsync($"create schema {_shadow}; create table {_shadow}.pg_stat_wal as select now() as stats_reset");
        await using PostgreSqlJobStore store = await OpenAsync();
        await cluster.ExecuteAsync(
            $"""
            insert into {_schema}.jobs (id, kind, state, version, attempt, max_attempts, priority, tags, created_at, run_at, turn, claim)
            select gen_random_uuid(), 'work', 0, 1, 0, 3, 0, '{"{}"}', now(), now(), nextval('{_schema}.turns'), 0 from generate_series(1, {Queued});
            analyze {_schema}.jobs;
            """);

        (bool isDelayed, long read) = await store.Database.RunAsync(
            async connection =>
            {
                await using NpgsqlTransaction transaction = await connection.BeginTransactionAsync(Token);
                await using var look = new NpgsqlCommand(ClaimGrace.MayBeUndoneSql(_schema), connection);
                bool mayBeUndone = (bool)(await look.ExecuteScalarAsync(Token))!;
                await using var count = new NpgsqlCommand(
                    $"select (seq_tup_read + idx_tup_fetch)::bigint from pg_stat_xact_user_tables where schemaname = '{_schema}' and relname = 'jobs'",
                    connection);
                return (mayBeUndone, (long)(await count.ExecuteScalarAsync(Token))!);
            },
            mayRepeat: true, Token);

        Assert.False(isDelayed);
        Assert.InRange(read, 1, Queued / 10);
    }

    private async Task<PostgreSqlJobStore> OpenAsync()
    {
        var store = new PostgreSqlJobStore($"{cluster.ConnectionString};Search Path={_shadow},pg_catalog", _schema, PostgresTests.Patient);
        await store.OpenAsync(Token);
        return store;
    }
}
