using Npgsql;
using PoolApi.Jobs.PostgreSql;
using static PoolApi.TestKit.Patience;

namespace PoolApi.Jobs.Tests.Postgres.Faults;

/// <summary>Large bodies over a link on which one body takes longer than the statement timeout.</summary>
[Collection(PostgresTimeoutTests.Name)]
[Trait("Category", "Slow")]
public sealed class SlowLinkTests(PostgresCluster cluster)
{
    private const int BytesPerSecond = 8 << 20, Length = 14 << 20;

    private readonly string _schema = PostgresTests.NewSchema();

    [Fact]
    public async Task Over_a_slow_link_claims_omit_bodies_and_reads_may_exceed_the_statement_timeout()
    {
        PostgresCluster.Require();
        await using var near = new PostgreSqlJobStore(cluster.ConnectionString, _schema, PostgresTests.Patient);
        await near.OpenAsync(Token);
        var body = new byte[Length];
        Random.Shared.NextBytes(body);
        for (int i = 0; i < 3; i++) await near.AcceptAsync(Jobs.New() with { Payload = Jobs.Payload().WithBody(body) }, Token);
        Guid ended = (await near.AcceptAsync(Jobs.New(priority: Threading.WorkPriority.High), Token)).Job.Id;
        JobClaim first = Assert.Single((await near.ClaimAsync("near", 1, Jobs.LongLease, Token)).Claims);
        Assert.True(await near.FinishAsync(first, new JobEnd(JobState.Succeeded, new JobResult(200, null, body)), Token));

        var server = new NpgsqlConnectionStringBuilder(cluster.ConnectionString);
        // A busy machine gets more time, and a slower link.
        int seconds = MachineLoad.StretchSeconds(1);
        await using var link = new CutOff(server.Port) { BytesPerSecond = BytesPerSecond / seconds };
        (server.Host, server.Port) = ("127.0.0.1", link.Port);
        await using var far = new PostgreSqlJobStore(server.ConnectionString, _schema, PostgresTests.Patient with { StatementSeconds = seconds });
        await far.OpenAsync(Token);

        JobClaims claims = await far.ClaimAsync("far", 3, Jobs.LongLease, Token);
        // The link has not carried even one of their bodies.
        Assert.InRange(link.BytesFromServer, 1, Length / 2);
        Assert.Equal(3, claims.Claims.Count);
        Assert.All(claims.Claims, static c => Assert.Equal((Length, 1), (c.UnreadBytes, c.Job.Attempt)));

        // Each read takes longer than the statement timeout.
        Assert.True((await far.ReadBodyAsync(claims.Claims[0], Token))!.Value.Span.SequenceEqual(body));
        Assert.True((await far.GetResultAsync(ended, Token))!.Result!.Body.Span.SequenceEqual(body));
    }
}
