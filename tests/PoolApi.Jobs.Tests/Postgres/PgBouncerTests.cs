using System.Diagnostics;
using Npgsql;
using PoolApi.Jobs.Stores;
using PoolApi.Jobs.PostgreSql;
using static PoolApi.TestKit.Patience;

namespace PoolApi.Jobs.Tests.Postgres;

/// <summary>A pooler between the store and its database. If PgBouncer is not installed, the tests are skipped; with CI=true they fail.</summary>
[Collection(PostgresTimeoutTests.Name)]
[Trait("Category", "Slow")]
public sealed class PgBouncerTests(PostgresCluster cluster)
{
    [Theory]
    [InlineData("transaction", 20, 0, 0)]
    [InlineData("transaction", 1, 0, 0)]
    [InlineData("transaction", 20, 5, 0)]
    [InlineData("transaction", 20, 5, 1)]
    [InlineData("statement", 20, 5, 0)]
    [InlineData("statement", 20, 5, 1)]
    public async Task A_pooler_without_session_mode_is_rejected_with_the_required_setting(string mode, int size, int idle, int inTurn)
    {
        await using Bouncer bouncer = await Bouncer.StartAsync(cluster, mode, size, inTurn);
        await bouncer.WarmUpAsync(idle);
        await using var store = new PostgreSqlJobStore(bouncer.ConnectionString, PostgresTests.NewSchema(), PostgresTests.Patient);

        var refused = await Assert.ThrowsAsync<JobStoreException>(() => store.OpenAsync(Token)).Patiently();

        Assert.Contains("pool_mode = session", refused.Message, StringComparison.Ordinal);
        Assert.Contains($"127.0.0.1:{bouncer.Port}", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_store_works_through_a_pooler_in_session_mode()
    {
        await using Bouncer bouncer = await Bouncer.StartAsync(cluster, "session", size: 8, inTurn: 1);
        await bouncer.WarmUpAsync(5);
        string schema = PostgresTests.NewSchema();
        RecordingListener listener = new();
        await using var store = new PostgreSqlJobStore(bouncer.ConnectionString + ";Maximum Pool Size=3", schema, PostgresTests.Patient) { Listener = listener };
        await using var other = new PostgreSqlJobStore(cluster.ConnectionString, schema, PostgresTests.Patient);
        await store.OpenAsync(Token);
        await other.OpenAsync(Token);

        Job[] jobs = await Task.WhenAll(Enumerable.Range(0, 20).Select(async _ => (await store.AcceptAsync(Jobs.New(), Token)).Job)).Patiently();
        JobClaim claim = Assert.Single((await store.ClaimAsync("me", 1, Jobs.LongLease, Token)).Claims);
        Assert.True(await store.FinishAsync(claim, Jobs.Success(), Token));
        await store.CheckAsync(Token);

        Job cancelled = (await other.CancelAsync(jobs.First(j => j.Id != claim.Job.Id).Id, Token))!.After;
        await listener.WaitForAsync(cancelled.Id, cancelled.Version);
    }

    [Fact]
    public async Task Open_sessions_stay_in_use_when_the_pooler_rejects_new_clients()
    {
        await using Bouncer bouncer = await Bouncer.StartAsync(cluster, "session", size: 8, inTurn: 0, clients: 5);
        await using var database = new Database($"{bouncer.ConnectionString};Maximum Pool Size=10", PostgresTests.Patient);
        using var gate = new SemaphoreSlim(0);
        int held = 0;
        Task[] holders = [.. Enumerable.Range(0, 5).Select(_ => HoldAsync())];
        await UntilAsync(() => Volatile.Read(ref held) == 5, "That all sessions are in use");
        long before = database.Interruptions; // an opening that was too slow on a busy machine counts as one

        for (int i = 0; i < 2; i++)
            await Assert.ThrowsAsync<JobStoreUnavailableException>(() => database.RunAsync(static _ => Task.FromResult(true), mayRepeat: true, Token)).Patiently();

        Assert.Equal(before, database.Interruptions);
        gate.Release(holders.Length);
        await Task.WhenAll(holders).Patiently();
        // The sessions are still in the pool.
        Assert.True(await database.RunAsync(static _ => Task.FromResult(true), mayRepeat: true, Token).Patiently());

        // Opens a session and keeps it. The pooler may still count a client that has left, so a refused opening is repeated.
        async Task HoldAsync()
        {
            while (true)
            {
                try
                {
                    await database.RunAsync(
                        async _ =>
                        {
                            Interlocked.Increment(ref held);
                            await gate.WaitAsync(Token);
                            return true;
                        },
                        mayRepeat: false, Token);
                    return;
                }
                catch (JobStoreUnavailableException) when (Volatile.Read(ref held) < 5)
                {
                    await Task.Delay(20, Token); // the pooler gives no signal
                }
            }
        }
    }

    /// <summary>A test's own PgBouncer in front of the tests' PostgreSQL.</summary>
    private sealed class Bouncer(PostgresCluster cluster, RunningProgram program, TemporaryFolder folder, int port) : IAsyncDisposable
    {
        public int Port => port;

        public string ConnectionString => $"{cluster.ConnectionString};Port={port}";

        public static async Task<Bouncer> StartAsync(PostgresCluster cluster, string mode, int size, int inTurn, int clients = 100)
        {
            PostgresCluster.Require();
            string pgBouncer = Tool.Require("pgbouncer", "apt-get install --no-install-recommends pgbouncer");
            var folder = new TemporaryFolder();
            int port = FreePorts.Next();
            string settings = folder.File("pgbouncer.ini");
            await File.WriteAllTextAsync(
                settings,
                $"""
                [databases]
                * = host=127.0.0.1 port={cluster.Port} user=poolapi
                [pgbouncer]
                listen_addr = 127.0.0.1
                listen_port = {port}
                unix_socket_dir =
                auth_type = any
                pool_mode = {mode}
                default_pool_size = {size}
                max_client_conn = {clients}
                server_round_robin = {inTurn}
                """);
            string[] command = [.. PostgresCluster.AsUser(), pgBouncer, "-q", settings];
            if (!OperatingSystem.IsWindows())
            {
                File.SetUnixFileMode(folder.Path, (UnixFileMode)0b111_101_101);
                File.SetUnixFileMode(settings, (UnixFileMode)0b110_100_100);
            }
            var program = new RunningProgram(new ProcessStartInfo(command[0], command[1..]) { WorkingDirectory = "/" });
            var bouncer = new Bouncer(cluster, program, folder, port);
            try
            {
                await program.WaitForPortAsync(port);
                return bouncer;
            }
            catch
            {
                await bouncer.DisposeAsync();
                throw;
            }
        }

        /// <summary>Makes PgBouncer open connections to the server, which are idle afterwards.</summary>
        public async Task WarmUpAsync(int connections) => await Task.WhenAll(Enumerable.Range(0, connections).Select(async _ =>
        {
            await using var connection = new NpgsqlConnection(ConnectionString + ";Pooling=false;No Reset On Close=true");
            await connection.OpenAsync(Token);
            await using var command = new NpgsqlCommand("select pg_sleep(0.05)", connection);
            await command.ExecuteNonQueryAsync(Token);
        })).Patiently();

        public async ValueTask DisposeAsync()
        {
            await program.DisposeAsync();
            folder.Dispose();
        }
    }
}
