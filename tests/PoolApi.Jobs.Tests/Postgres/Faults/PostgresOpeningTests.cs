using System.Diagnostics;
using Microsoft.Extensions.Time.Testing;
using Npgsql;
using PoolApi.Jobs.Stores;
using PoolApi.Jobs.PostgreSql;
using static PoolApi.TestKit.Patience;

namespace PoolApi.Jobs.Tests.Postgres.Faults;

/// <summary>A server that accepts connections and then goes mute, at every stage of the opening.</summary>
[Collection(PostgresTimeoutTests.Name)]
[Trait("Category", "Slow")]
public sealed class PostgresOpeningTests(PostgresCluster cluster)
{
    /// <summary>To connect may take a second here, and a cancelled command as long again; the rest is for a machine that is busy.</summary>
    private static TimeSpan SoonEnough => MachineLoad.Stretch(TimeSpan.FromMinutes(1));

    private static readonly string[] Modes = ["Disable", "Prefer", "Require"];

    [Fact]
    public async Task Opening_against_a_mute_server_fails_with_a_message_and_leaves_no_connection_open()
    {
        await Task.WhenAll(
            from muteAt in Enum.GetValues<MuteAt>()
            where muteAt != MuteAt.Nowhere
            from mode in Modes
            where !(mode == "Require" && muteAt > MuteAt.TlsHandshake) // the server's No to TLS would be refused at once
            where !(mode == "Disable" && muteAt is MuteAt.TlsGranted or MuteAt.TlsHandshake)
            select StartAsync(muteAt, mode));

        static async Task StartAsync(MuteAt muteAt, string mode)
        {
            await using var server = new MuteProxy(muteAt: muteAt);
            await using var store = new PostgreSqlJobStore(
                $"Host=127.0.0.1;Port={server.Port};Username=poolapi;Database=postgres;SSL Mode={mode}", "poolapi", DatabaseLimits.Default with { ConnectSeconds = 1 });

            long since = Stopwatch.GetTimestamp();
            Exception? failure = await Record.ExceptionAsync(() => store.OpenAsync(Token).Patiently());

            Assert.True(failure is JobStoreException, $"{muteAt}, {mode}: {failure}");
            Assert.Contains($"127.0.0.1:{server.Port}", failure.Message, StringComparison.Ordinal);
            Assert.InRange(Stopwatch.GetElapsedTime(since), TimeSpan.Zero, SoonEnough);
            await UntilAsync(() => server.Mute == 0, $"{muteAt}, {mode}: that the connection is closed");
        }
    }

    [Fact]
    public async Task A_server_that_goes_mute_holds_a_bounded_number_of_connections_and_the_store_recovers()
    {
        PostgresCluster.Require();
        // Forty callers each: not all at once, so that the server has time to let them in on a busy machine.
        foreach (MuteAt[] some in Enum.GetValues<MuteAt>().Where(static m => m != MuteAt.Nowhere).Chunk(2)) await Task.WhenAll(some.Select(RunAsync));

        async Task RunAsync(MuteAt muteAt)
        {
            string schema = PostgresTests.NewSchema();
            RecordingListener listener = new();
            await using var proxy = new MuteProxy(cluster.Port);
            await using var store = new PostgreSqlJobStore(
                $"{cluster.ConnectionString};Port={proxy.Port};SSL Mode=Prefer", schema, PostgresTests.Stretched with { ConnectSeconds = MachineLoad.StretchSeconds(1) })
            { Listener = listener };
            await using var other = new PostgreSqlJobStore(cluster.ConnectionString, schema, PostgresTests.Patient);
            await store.OpenAsync(Token);
            await other.OpenAsync(Token);
            Job job = (await store.AcceptAsync(Jobs.New(runAt: Jobs.Now + TimeSpan.FromHours(1)), Token)).Job;

            proxy.MuteAt = muteAt;
            proxy.Cut();
            long since = Stopwatch.GetTimestamp();
            Exception?[] failures = await Task.WhenAll(Enumerable.Range(0, 40).Select(i => Record.ExceptionAsync(
                async () => _ = i % 4 == 0 ? (await store.AcceptAsync(Jobs.New(), Token)).Job : await store.GetAsync(job.Id, Token)).AsTask())).Patiently();
            Assert.All(failures, f => Assert.True(f is JobStoreUnavailableException, $"{muteAt}: {f}"));
            Assert.InRange(Stopwatch.GetElapsedTime(since), TimeSpan.Zero, SoonEnough);
            // Those of the pool (16), as many that ask to cancel a command, the one that listens, with its own, and a few that are closed
            // and whose end the proxy has not seen yet. Each caller with a connection of its own would be 80.
            Assert.InRange(proxy.MostMute, 1, 34 + 6);

            proxy.MuteAt = MuteAt.Nowhere;
            since = Stopwatch.GetTimestamp();
            await UntilAsync(
                async () => await Record.ExceptionAsync(async () => await store.AcceptAsync(Jobs.New(), Token)) is null, $"{muteAt}: that jobs are accepted");
            await UntilAsync(() => proxy.Mute == 0, $"{muteAt}: that connections that were given up are closed");
            Assert.InRange(Stopwatch.GetElapsedTime(since), TimeSpan.Zero, SoonEnough);
            await listener.WaitForChangeOfAsync(other);
        }
    }

    [Fact]
    public async Task A_mute_host_leaves_enough_time_to_open_the_next_host()
    {
        PostgresCluster.Require();
        // Not all at once, so that the host that works has time to let them in on a busy machine.
        foreach (int mutes in (int[])[1, 2])
        {
            await Task.WhenAll(
                from balanced in (bool[])[false, true]
                from muteAt in Enum.GetValues<MuteAt>()
                where muteAt != MuteAt.Nowhere
                select StartAsync(muteAt, mutes, balanced));
        }

        async Task StartAsync(MuteAt muteAt, int mutes, bool balanced)
        {
            MuteProxy[] hosts = [.. Enumerable.Range(0, mutes).Select(_ => new MuteProxy(cluster.Port, muteAt))];
            string what = $"{muteAt}, {mutes}, {balanced}";
            int seconds = MachineLoad.StretchSeconds(4);
            // A mute host takes the time to connect twice, with encryption and without. Opening needs several sessions.
            TimeSpan patience = Patience.Long + TimeSpan.FromSeconds(seconds * 2 * mutes * 4);
            try
            {
                await using var store = new PostgreSqlJobStore(
                    $"Host={string.Concat(hosts.Select(static h => $"127.0.0.1:{h.Port},"))}127.0.0.1:{cluster.Port};Username=poolapi;"
                    + $"Database=postgres;SSL Mode=Prefer;Load Balance Hosts={balanced}",
                    PostgresTests.NewSchema(),
                    // The time to connect is also that of the host that works, which needs a part of it. An operation must not give up before it
                    // has tried the next host.
                    PostgresTests.Patient with { ConnectSeconds = seconds });

                Exception? failure = await Record.ExceptionAsync(() => store.OpenAsync(Token).WaitAsync(patience, Token));
                Assert.True(failure is null, $"{what}: {failure}");
                // The pool knows what the first opening has learnt.
                await UntilAsync(async () => await Record.ExceptionAsync(async () => await store.AcceptAsync(Jobs.New(), Token)) is null, $"{what}: a job");

                // The mute host is well again, and the other connections break: all goes on.
                foreach (MuteProxy host in hosts) host.MuteAt = MuteAt.Nowhere;
                await UntilAsync(() => hosts.All(static h => h.Mute == 0), $"{what}: that connections that were given up are closed");
                store.Database.Interrupted();
                Job job = (await store.AcceptAsync(Jobs.New(), Token)).Job;
                Assert.NotNull(await store.GetAsync(job.Id, Token));
            }
            finally
            {
                foreach (MuteProxy host in hosts) await host.DisposeAsync();
            }
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task An_opening_that_times_out_at_a_later_host_continues_with_the_next_host_unless_its_caller_cancels(bool byCaller)
    {
        PostgresCluster.Require();
        var time = new FakeTimeProvider();
        TimeSpan limit = TimeSpan.FromSeconds(4);
        using var caller = new CancellationTokenSource();
        int tries = 0;
        var twice = new NpgsqlConnectionStringBuilder(cluster.ConnectionString) { Pooling = false }; // with a pool Npgsql throws the cancellation
        twice.Host = $"{twice.Host}:{cluster.Port},{twice.Host}:{cluster.Port}";
        await using var sources = new HostSources(twice, new HostOrder(time), limit, time, "first", (settings, name) =>
        {
            NpgsqlDataSourceBuilder builder = new(settings.ConnectionString);
            if (name == "first") builder.UsePhysicalConnectionInitializer(static _ => throw new NotSupportedException(), FailAsync);
            return builder.Build();
        });

        Task<NpgsqlConnection> opening = sources.OpenAsync(caller.Token).AsTask();

        if (byCaller) await Assert.ThrowsAnyAsync<OperationCanceledException>(() => opening.Patiently());
        else await (await opening.Patiently()).DisposeAsync();

        // The first host fails. At the second one Npgsql counts a cancellation by another token than its caller's as a failure too, and throws both failures.
        async Task FailAsync(NpgsqlConnection connection)
        {
            if (++tries == 1) throw new TimeoutException();
            if (byCaller) await caller.CancelAsync();
            else time.Advance(limit);
            throw new TaskCanceledException();
        }
    }

    [Fact]
    public void The_host_that_worked_is_tried_first_and_once_a_minute_the_first_configured_host()
    {
        var time = new FakeTimeProvider();
        var order = new HostOrder(time);
        Assert.Equal(0, order.First());

        order.Opened(2);
        Assert.Equal(2, order.First());
        time.Advance(HostOrder.Detour);
        Assert.Equal([0, 2, 2], [order.First(), order.First(), order.First()]);
        order.Opened(2);
        time.Advance(HostOrder.Detour);
        Assert.Equal(0, order.First());
        order.Opened(0);
        Assert.Equal([0, 0], [order.First(), order.First()]);

        order.Opened(1);
        order.Reset();
        Assert.Equal(0, order.First());
    }
}
