using Npgsql;
using PoolApi.Jobs.Stores;
using PoolApi.Jobs.PostgreSql;
using static PoolApi.TestKit.Patience;

namespace PoolApi.Jobs.Tests.Postgres.Faults;

/// <summary>Faults of sessions and of the database other than an outage. When the fault is over, the store works again by itself.</summary>
[Collection(PostgresTimeoutTests.Name)]
[Trait("Category", "Slow")]
public sealed class PostgresFaultTests(PostgresCluster cluster)
{
    /// <summary>The placeholder for the name of a test's database.</summary>
    private const string Database = "{0}";

    // Waits until the sessions have ended. Otherwise a session may execute its next statement before the signal reaches it.
    private const string Terminate = "select pg_terminate_backend(pid, 180000) from pg_stat_activity where datname = '{0}' and pid <> pg_backend_pid()";

    [Theory]
    [InlineData("discard all")]
    [InlineData("deallocate all")]
    public async Task Sessions_that_lost_their_state_cause_no_error_for_the_caller(string sql)
    {
        await using Place place = await Place.CreateAsync(cluster);
        await UseAsync(place.Store);

        await EverySessionAsync(place.Store, sql);

        Assert.Null(await Record.ExceptionAsync(() => UseAsync(place.Store).Patiently()));
    }

    [Fact]
    public async Task A_table_change_that_invalidates_plans_causes_no_error_for_the_caller()
    {
        await using Place place = await Place.CreateAsync(cluster);
        await UseAsync(place.Store);

        await place.ExecuteAsync("alter table poolapi.jobs alter column error_detail type varchar(100000), add column later int");

        Assert.Null(await Record.ExceptionAsync(() => UseAsync(place.Store).Patiently()));
    }

    [Fact]
    public async Task A_failed_large_statement_does_not_leave_its_longer_timeout_on_a_session()
    {
        await using Place place = await Place.CreateAsync(cluster);
        await place.ExecuteAsync(
            "create function poolapi.refuse() returns trigger language plpgsql as $$ begin raise exception 'the trigger of an operator'; end $$;"
            + "create trigger refuse before insert on poolapi.jobs for each row execute function poolapi.refuse()");

        await Assert.ThrowsAsync<JobStoreUnavailableException>(
            async () => await place.Store.AcceptAsync(Jobs.New(body: new string('x', 5 << 20)), Token));

        Assert.All(
            await EverySessionAsync(place.Store, "select extract(epoch from current_setting('statement_timeout')::interval)::int"),
            static seconds => Assert.Equal(PostgresTests.Patient.StatementSeconds, seconds));
    }

    [Fact]
    public async Task Sessions_that_the_server_ends_are_replaced()
    {
        await using Place place = await Place.CreateAsync(cluster);
        await UseAsync(place.Store);

        await place.ExecuteAsync(place.Of(Terminate));

        await UseSoonAsync(place.Store);
    }

    [Theory]
    [InlineData("alter database {0} set default_transaction_read_only = on", "alter database {0} reset default_transaction_read_only")]
    [InlineData("alter role poolapi in database {0} set default_transaction_read_only = on", "alter role poolapi in database {0} reset all")]
    public async Task A_database_that_was_read_only_is_written_to_again_on_new_sessions(string begin, string end)
    {
        await using Place place = await Place.CreateAsync(cluster);
        Job job = (await place.Store.AcceptAsync(Jobs.New(runAt: Jobs.Now + TimeSpan.FromHours(1)), Token)).Job;
        await place.Store.CheckAsync(Token);

        // Only sessions that begin after the commit have the setting.
        await place.ExecuteAsync(place.Of(begin));
        await place.ExecuteAsync(place.Of(Terminate));
        await Assert.ThrowsAsync<JobStoreUnavailableException>(async () => await place.Store.AcceptAsync(Jobs.New(), Token));
        await Assert.ThrowsAsync<JobStoreUnavailableException>(async () => await place.Store.CheckAsync(Token));
        await Assert.ThrowsAsync<JobStoreUnavailableException>(async () => await place.Store.ClaimAsync("me", 1, Jobs.LongLease, Token));
        Assert.NotNull(await place.Store.GetAsync(job.Id, Token));
        await place.ExecuteAsync("set transaction_read_only = off;" + place.Of(end));

        await UseSoonAsync(place.Store);
    }

    [Fact]
    public async Task Open_sessions_stay_in_use_when_the_server_rejects_the_connection_for_notifications()
    {
        PostgresCluster.Require();
        string role = PostgresTests.NewSchema();
        await cluster.ExecuteAsync($"create role {role} login; grant create on database postgres to {role}");
        await using var proxy = new MuteProxy(cluster.Port);
        var listener = new RecordingListener();
        await using var store = new PostgreSqlJobStore($"{cluster.ConnectionString};Port={proxy.Port};Username={role}", role, PostgresTests.Patient)
        {
            Listener = listener,
        };
        await store.OpenAsync(Token);
        int session = await SessionAsync();
        await cluster.ExecuteAsync($"alter role {role} connection limit 1"); // the open session is that one
        long before = store.Database.Interruptions;
        int accepted = proxy.Accepted;

        store.Database.Failed!(); // so the listener connects again

        await UntilAsync(() => proxy.Accepted >= accepted + 3 || store.Database.Interruptions > before, "That the server rejects the listener twice");
        Assert.Equal(before, store.Database.Interruptions);
        Assert.Equal(session, await SessionAsync());
        await cluster.ExecuteAsync($"alter role {role} connection limit -1");
        await UntilAsync(() => listener.Missed > 0, "That the listener is connected again");

        Task<int> SessionAsync() => store.Database.RunAsync(static connection => Task.FromResult(connection.ProcessID), mayRepeat: true, Token);
    }

    [Fact]
    public async Task A_job_claimed_by_the_failed_try_of_a_repeated_claim_is_claimed_again()
    {
        await using Place place = await Place.CreateAsync(cluster);
        Job suspect = (await place.Store.AcceptAsync(Jobs.New("suspect", maxAttempts: 9), Token)).Job;
        Assert.Single((await place.Store.ClaimAsync("dead", 1, TimeSpan.FromMilliseconds(1), Token)).Claims);
        var rules = new MaintenanceRules(TimeSpan.FromDays(1), 3);
        await UntilAsync(async () => (await place.Store.MaintainAsync(rules, Token)).Redelivered.Count > 0, "That the job is redelivered");
        Job other = (await place.Store.AcceptAsync(Jobs.New("other"), Token)).Job;
        // The first statement that claims the other job is cancelled. By then another statement has claimed the suspect.
        await place.ExecuteAsync(
            "create sequence poolapi.tries;"
            + "create function poolapi.cancel() returns trigger language plpgsql as $$ begin"
            + " if nextval('poolapi.tries') = 1 then raise exception 'cancelled' using errcode = '57014'; end if; return new; end $$;"
            + "create trigger cancel before update on poolapi.jobs for each row when (new.state = 1 and new.kind = 'other') execute function poolapi.cancel()");

        JobClaim claim = Assert.Single((await place.Store.ClaimAsync("me", 2, Jobs.LongLease, Token)).Claims);

        Assert.Equal(other.Id, claim.Job.Id);
        JobClaim? again = null;
        await UntilAsync(
            async () => (again = (await place.Store.ClaimAsync("me", 2, Jobs.LongLease, Token)).Claims.SingleOrDefault()) is not null,
            "That the suspect is claimed again");
        Assert.Equal((suspect.Id, 2), (again!.Job.Id, again.Job.Attempt));
    }

    [Fact]
    public async Task The_store_works_again_after_its_missing_schema_is_restored()
    {
        await using Place place = await Place.CreateAsync(cluster);
        await UseAsync(place.Store);

        await place.ExecuteAsync("alter schema poolapi rename to away");
        await Assert.ThrowsAsync<JobStoreUnavailableException>(async () => await place.Store.AcceptAsync(Jobs.New(), Token));
        await Assert.ThrowsAsync<JobStoreUnavailableException>(async () => await place.Store.CheckAsync(Token));
        await place.ExecuteAsync("alter schema away rename to poolapi");

        await UseSoonAsync(place.Store);
    }

    [Fact]
    public async Task A_failed_sweep_does_not_stop_notifications_of_expired_and_redelivered_jobs()
    {
        await using Place place = await Place.CreateAsync(cluster);
        var listener = new RecordingListener();
        place.Store.Listener = listener;
        await place.Store.AcceptAsync(Jobs.New(), Token);
        JobClaim lost = Assert.Single((await place.Store.ClaimAsync("dead", 1, TimeSpan.FromMilliseconds(1), Token)).Claims);
        Job late = (await place.Store.AcceptAsync(Jobs.New(timeout: TimeSpan.FromMilliseconds(1)), Token)).Job;
        await place.ExecuteAsync("alter table poolapi.payloads rename to away");

        MaintenanceReport report = await place.Store.MaintainAsync(new MaintenanceRules(TimeSpan.FromDays(1), 3), Token);

        Assert.Equal((1, 1), (report.Expired, report.Redelivered[lost.Job.Kind]));
        Assert.IsType<JobStoreUnavailableException>(report.SweepFault);
        await listener.WaitForAsync(late.Id, late.Version + 1);
        await listener.WaitForAsync(lost.Job.Id, lost.Job.Version + 1);
        await place.ExecuteAsync("alter table poolapi.away rename to payloads");
        await UntilAsync(
            async () => (await place.Store.MaintainAsync(new MaintenanceRules(TimeSpan.FromDays(1), 3), Token)).SweepFault is null, "That jobs are swept again");
    }

    [Fact]
    public async Task Sessions_override_the_idle_timeout_and_lock_timeout_of_the_database()
    {
        await using Place place = await Place.CreateAsync(
            cluster, "alter database {0} set idle_session_timeout = '10s'; alter database {0} set lock_timeout = '10s'");

        string settings = await place.Store.Database.RunAsync(
            static async connection =>
            {
                await using var command = new NpgsqlCommand("select current_setting('idle_session_timeout') || current_setting('lock_timeout')", connection);
                return (string)(await command.ExecuteScalarAsync())!;
            },
            mayRepeat: true, Token);

        Assert.Equal("00", settings);
    }

    [Fact]
    public async Task After_a_failover_that_cuts_no_connection_the_store_writes_as_soon_as_the_standby_is_promoted()
    {
        PostgresCluster.Require();
        await using var primary = new PostgresCluster();
        await primary.InitializeAsync();
        await using PostgresCluster standby = await primary.StartStandbyAsync();
        await using var address = new MuteProxy(primary.Port);
        await using var store = new PostgreSqlJobStore($"{primary.ConnectionString};Port={address.Port}", "poolapi", PostgresTests.Patient);
        await store.OpenAsync(Token);
        Job job = (await store.AcceptAsync(Jobs.New(runAt: Jobs.Now + TimeSpan.FromHours(1)), Token)).Job;
        await UntilAsync(
            async () => await standby.ExecuteAsync($"select count(*) from pg_class where relname = 'jobs_key'") is 1L
                && await standby.ExecuteAsync("select count(*) from poolapi.jobs") is 1L,
            "That the standby has the job");

        address.Target = standby.Port;
        address.Cut();
        await primary.KillAsync();
        await UntilAsync(async () => await Record.ExceptionAsync(async () => await store.GetAsync(job.Id, Token)) is null, "That the standby is read");
        await Assert.ThrowsAsync<JobStoreUnavailableException>(async () => await store.AcceptAsync(Jobs.New(), Token));
        await Assert.ThrowsAsync<JobStoreUnavailableException>(async () => await store.CheckAsync(Token));
        Assert.Equal(true, await standby.ExecuteAsync("select pg_promote()"));

        await UseSoonAsync(store);
    }

    /// <summary>Runs a statement on each of many sessions of a store.</summary>
    /// <returns>The first value that each returns, if any.</returns>
    private static async Task<object?[]> EverySessionAsync(PostgreSqlJobStore store, string sql)
    {
        const int Sessions = 8;
        int there = 0;
        var all = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        return await Task.WhenAll(Enumerable.Range(0, Sessions).Select(_ => store.Database.RunAsync(
            async connection =>
            {
                // Uses the simple protocol, as a pooler does.
                await using var command = new NpgsqlCommand(sql, connection);
                object? value = await command.ExecuteScalarAsync();
                if (Interlocked.Increment(ref there) == Sessions) all.SetResult();
                await all.Task;
                return value;
            },
            mayRepeat: true, Token))).Patiently();
    }

    /// <summary>Waits until the store works again. After a fault that may have been a crash, it claims no job for three seconds.</summary>
    private static Task UseSoonAsync(PostgreSqlJobStore store) =>
        UntilAsync(async () => await Record.ExceptionAsync(() => UseAsync(store)) is null, "That the store works again");

    /// <summary>Calls most methods of the store, and its check.</summary>
    private static async Task UseAsync(PostgreSqlJobStore store)
    {
        Guid id = (await store.AcceptAsync(Jobs.New(priority: Threading.WorkPriority.High), Token)).Job.Id;
        JobClaim? claim = null;
        await UntilAsync(
            async () => (claim = (await store.ClaimAsync("me", 1, Jobs.LongLease, Token)).Claims.SingleOrDefault()) is not null, "That a job is claimed");
        await store.ReportProgressAsync(claim!, 0.5, Token);
        Assert.Equal([LeaseState.Held], await store.RenewAsync([claim!], Jobs.LongLease, Token));
        Assert.True(await store.FinishAsync(claim!, Jobs.Success(), Token));
        JobClaim own = (await store.AcceptAndClaimAsync(Jobs.New(), "me", Jobs.LongLease, Token)).Claim!;
        await store.HandBackAsync([own], Token);
        await store.CancelAsync(own.Job.Id, Token);
        await store.RetryAsync(own.Job.Id, Token);
        await store.CancelAsync(own.Job.Id, Token);
        await store.GetResultAsync(id, Token);
        Assert.NotNull(await store.GetAsync(own.Job.Id, Token));
        Assert.NotEmpty((await store.ListAsync(new JobQuery { State = JobState.Cancelled }, Token)).Jobs);
        await store.MaintainAsync(new MaintenanceRules(TimeSpan.FromDays(1), 3), Token);
        await store.CheckAsync(Token);
    }

    /// <summary>A test's own database with a store in it.</summary>
    private sealed class Place(PostgresCluster cluster, string name, PostgreSqlJobStore store) : IAsyncDisposable
    {
        public PostgreSqlJobStore Store => store;

        public static async Task<Place> CreateAsync(PostgresCluster cluster, string? settings = null)
        {
            PostgresCluster.Require();
            string name = PostgresTests.NewSchema();
            await cluster.ExecuteAsync($"create database {name}");
            if (settings is not null) await cluster.ExecuteAsync(settings.Replace(Database, name, StringComparison.Ordinal));
            var store = new PostgreSqlJobStore($"{cluster.ConnectionString};Database={name}", "poolapi", PostgresTests.Patient);
            await store.OpenAsync(Token);
            return new Place(cluster, name, store);
        }

        /// <summary>A statement with the database's name.</summary>
        public string Of(string sql) => sql.Replace(Database, name, StringComparison.Ordinal);

        public Task<object?> ExecuteAsync(string sql) => cluster.ExecuteAsync(sql, name);

        public async ValueTask DisposeAsync()
        {
            await store.DisposeAsync();
            await cluster.ExecuteAsync($"drop database {name} with (force)");
        }
    }
}
