using Npgsql;
using PoolApi.Jobs.PostgreSql;
using static PoolApi.TestKit.Patience;

namespace PoolApi.Jobs.Tests.Postgres.Faults;

/// <summary>A late answer does not count as a jump of the server's clock, so dead instances still lose their leases.</summary>
[Collection(PostgresTests.Name)]
[Trait("Category", "Slow")]
public sealed class LateAnswerTests(PostgresCluster cluster)
{
    [Fact]
    public async Task The_server_clock_stays_trusted_when_an_answer_is_later_than_the_tolerance()
    {
        PostgresCluster.Require();
        string schema = PostgresTests.NewSchema();
        await using var store = new PostgreSqlJobStore(cluster.ConnectionString, schema, PostgresTests.Patient);
        await store.OpenAsync(Token);
        // After a jump the clock is not trusted for the length of the longest lease.
        await store.AcceptAsync(Jobs.New(), Token);
        Assert.Single((await store.ClaimAsync("other", 1, Jobs.LongLease, Token)).Claims);
        await using var proxy = new MuteProxy(cluster.Port);
        await using var connection = new NpgsqlConnection($"{cluster.ConnectionString};Port={proxy.Port};Pooling=false;Command Timeout=180");
        await connection.OpenAsync(Token);
        var clock = new DatabaseClock(schema);

        proxy.AnswerDelay = TimeSpan.FromSeconds(1.5); // the tolerance is a second
        Assert.True((await clock.CheckAsync(connection)).IsTrusted);
        proxy.AnswerDelay = TimeSpan.Zero;
        Assert.True((await clock.CheckAsync(connection)).IsTrusted);
    }
}
