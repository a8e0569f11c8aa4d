using System.Diagnostics;
using Npgsql;
using PoolApi.Jobs.PostgreSql;
using static PoolApi.TestKit.Patience;

namespace PoolApi.Jobs.Tests.Postgres;

/// <summary>A claim of one pool costs the same however many jobs of other pools are queued.</summary>
[Collection(PostgresTests.Name)]
[Trait("Category", "Slow")]
public sealed class OtherPoolsTests(PostgresCluster cluster)
{
    private const int Others = 100_000;
    private static readonly int MostMilliseconds = Math.Min(40, MachineLoad.Stretch(10));

    private readonly string _schema = PostgresTests.NewSchema();

    [Fact]
    public async Task A_claim_does_not_read_the_queue_of_another_pool()
    {
        PostgresCluster.Require();
        await using var store = new PostgreSqlJobStore(cluster.ConnectionString, _schema, PostgresTests.Patient);
        await store.OpenAsync(Token);
        await FillAsync("reports");

        foreach (KindFilter kinds in new[] { KindFilter.Only(["thumbnails"]), KindFilter.AllBut(["reports"]) })
        {
            TimeSpan least = TimeSpan.MaxValue;
            // The shortest of many claims counts, because a busy machine delays most of them. A claim that reads all jobs always takes some 150 ms.
            for (int n = 0; n < 1000 && least.TotalMilliseconds > MostMilliseconds; n++)
            {
                long start = Stopwatch.GetTimestamp();
                JobClaims none = await store.ClaimAsync("instance", 4, long.MaxValue, Jobs.LongLease, kinds, Token);
                TimeSpan took = Stopwatch.GetElapsedTime(start);
                Assert.Empty(none.Claims);
                if (took < least) least = took;
            }
            TestContext.Current.TestOutputHelper?.WriteLine($"{least.TotalMilliseconds} ms");
            Assert.InRange(least.TotalMilliseconds, 0, MostMilliseconds);
        }
    }

    private async Task FillAsync(string kind)
    {
        await using NpgsqlConnection connection = new(cluster.ConnectionString);
        await connection.OpenAsync(Token);
        await using var command = new NpgsqlCommand(
            $"""
            insert into {_schema}.jobs (id, kind, state, version, attempt, max_attempts, priority, tags, created_at, run_at, turn, claim)
            select gen_random_uuid(), '{kind}', 0, 1, 0, 3, 0, '{"{}"}', now(), now(), nextval('{_schema}.turns'), 0 from generate_series(1, {Others});
            analyze {_schema}.jobs;
            """,
            connection);
        command.CommandTimeout = (int)Long.TotalSeconds;
        await command.ExecuteNonQueryAsync(Token);
    }
}
