using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using PoolApi.Jobs.Stores;
using PoolApi.Jobs.PostgreSql;
using static PoolApi.TestKit.Patience;

namespace PoolApi.Jobs.Tests.Postgres;

/// <summary>Tests that apply only to a store that several instances share.</summary>
[Collection(PostgresTests.Name)]
[Trait("Category", "Slow")]
public sealed class PostgreSqlJobStoreTests(PostgresCluster cluster) : IAsyncDisposable
{
    private readonly string _schema = PostgresTests.NewSchema();
    private readonly List<PostgreSqlJobStore> _stores = [];

    public async ValueTask DisposeAsync()
    {
        foreach (PostgreSqlJobStore store in _stores) await store.DisposeAsync();
    }

    [Fact]
    public async Task Instances_that_start_at_once_make_one_schema_and_all_work()
    {
        PostgreSqlJobStore[] stores = [.. Enumerable.Range(0, 8).Select(_ => New())];

        await Task.WhenAll(stores.Select(s => s.OpenAsync(Token))).Patiently();

        foreach (PostgreSqlJobStore store in stores)
        {
            Job job = (await store.AcceptAsync(Jobs.New(), Token)).Job;
            Assert.NotNull(await stores[0].GetAsync(job.Id, Token));
        }
        Assert.Equal(1L, await ScalarAsync($"select count(*) from {_schema}.schema_version where version = 1"));
    }

    [Fact]
    public async Task A_schema_of_a_newer_program_is_refused_with_its_version()
    {
        await OpenAsync();
        await ScalarAsync($"insert into {_schema}.schema_version (version) values (99) returning version");

        var refused = await Assert.ThrowsAsync<JobStoreException>(() => New().OpenAsync(Token));

        Assert.Contains("99", refused.Message, StringComparison.Ordinal);
        Assert.Contains("newer", refused.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("order")]
    [InlineData("user")]
    [InlineData("a_name_that_has_the_longest_length_of_40")]
    public async Task A_schema_may_have_a_name_that_is_a_keyword_or_long(string schema)
    {
        PostgresCluster.Require();
        string database = $"d_{Guid.NewGuid():N}";
        await cluster.ExecuteAsync($"create database {database}");
        string connect = $"{cluster.ConnectionString};Database={database}";
        RecordingListener listener = new();
        await using (var one = new PostgreSqlJobStore(connect, schema, PostgresTests.Patient))
        await using (var two = new PostgreSqlJobStore(connect, schema, PostgresTests.Patient) { Listener = listener })
        {
            await one.OpenAsync(Token);
            await two.OpenAsync(Token);
            Job job = (await one.AcceptAsync(Jobs.New(tags: ["tag"], runAt: Jobs.Now + TimeSpan.FromMilliseconds(10)), Token)).Job;
            await UntilAsync(() => listener.Due > 0, "A notification to the other instance");
            JobClaim? claim = null;
            await UntilAsync(async () => (claim = (await two.ClaimAsync("two", 1, Jobs.LongLease, Token)).Claims.SingleOrDefault()) is not null, "That the job is due");
            await two.FinishAsync(claim!, new JobEnd(JobState.Succeeded, new JobResult(200, null, "body"u8.ToArray())), Token);
            await one.MaintainAsync(new MaintenanceRules(TimeSpan.FromDays(1), MaxRedeliveries: 3), Token);
            Job ended = Assert.Single((await one.ListAsync(new JobQuery { Tag = "tag" }, Token)).Jobs);
            Assert.Equal((job.Id, JobState.Succeeded), (ended.Id, ended.State));
            Assert.Equal("body"u8.ToArray(), (await one.GetResultAsync(job.Id, Token))!.Result!.Body.ToArray());
        }
        await cluster.ExecuteAsync($"drop database {database} with (force)");
    }

    [Fact]
    public async Task Apps_with_separate_schemas_in_one_database_share_no_jobs()
    {
        RecordingListener others = new();
        PostgreSqlJobStore one = await OpenAsync();
        string schema = PostgresTests.NewSchema();
        await using var other = new PostgreSqlJobStore(cluster.ConnectionString, schema, PostgresTests.Patient) { Listener = others };
        await other.OpenAsync(Token);
        await using var third = new PostgreSqlJobStore(cluster.ConnectionString, schema, PostgresTests.Patient);
        await third.OpenAsync(Token);

        Job job = (await one.AcceptAsync(Jobs.New(key: "key"), Token)).Job;
        JobAcceptance own = await other.AcceptAsync(Jobs.New(key: "key"), Token);

        Assert.Equal(AcceptOutcome.Created, own.Outcome);
        Assert.Null(await other.GetAsync(job.Id, Token));
        Assert.Equal(own.Job.Id, Assert.Single((await other.ClaimAsync("other", 10, Jobs.LongLease, Token)).Claims).Job.Id);
        Assert.Equal(job.Id, Assert.Single((await one.ClaimAsync("one", 10, Jobs.LongLease, Token)).Claims).Job.Id);
        await others.WaitForChangeOfAsync(third); // by then a notification of the first app's job would have arrived
        Assert.DoesNotContain(others.Changes, c => c.Id == job.Id);
    }

    [Theory]
    [InlineData("")]
    [InlineData("Order")]
    [InlineData("pg_jobs")]
    [InlineData("1st")]
    [InlineData("a\n")]
    [InlineData("a\"b")]
    [InlineData("a_name_that_is_one_letter_longer_than_40_")]
    public void The_builder_rejects_an_invalid_schema_name(string schema)
    {
        var jobs = new JobsBuilder(new ServiceCollection());

        var refused = Assert.Throws<ArgumentException>(() => jobs.UsePostgreSql("Host=db", schema));

        Assert.Equal("schema", refused.ParamName);
        Assert.Contains("1 to 40 lower-case letters", refused.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Host=127.0.0.1;Port=1;Username=poolapi;Password=very-secret", "127.0.0.1:1")]
    [InlineData("Database=no_such_database;Password=very-secret", "no_such_database")]
    [InlineData("Username=nobody_at_all;Password=very-secret", "nobody_at_all")]
    public async Task The_error_for_an_unusable_database_names_it_without_its_password(string change, string named)
    {
        PostgresCluster.Require();
        await using var store = new PostgreSqlJobStore($"{cluster.ConnectionString};{change}", _schema, PostgresTests.Patient);

        var refused = await Assert.ThrowsAsync<JobStoreException>(() => store.OpenAsync(Token));

        Assert.Contains(named, refused.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("very-secret", refused.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_change_notifies_the_other_instance_and_its_own_instance_only_once()
    {
        RecordingListener own = new(), others = new();
        PostgreSqlJobStore one = await OpenAsync(own);
        PostgreSqlJobStore two = await OpenAsync(others);

        Job job = (await one.AcceptAsync(Jobs.New(), Token)).Job;
        await UntilAsync(() => others.Due > 0, "That a job is due");
        JobClaim claim = Assert.Single((await one.ClaimAsync("one", 1, Jobs.LongLease, Token)).Claims);
        await others.WaitForAsync(job.Id, claim.Job.Version);
        Job cancelled = (await two.CancelAsync(job.Id, Token))!.After;
        await own.WaitForAsync(job.Id, cancelled.Version);

        Assert.Contains(own.Changes, c => c == new JobChange(job.Id, cancelled.Version, true));
        Assert.Single(own.Changes, c => c.Version == claim.Job.Version);
    }

    [Fact]
    public async Task Another_instance_is_notified_of_all_of_many_changes_at_once()
    {
        RecordingListener others = new();
        PostgreSqlJobStore one = await OpenAsync();
        await OpenAsync(others);

        Guid[] ids = await Task.WhenAll(Enumerable.Range(0, 2000).Select(async _ => (await one.AcceptAsync(Jobs.New(), Token)).Job.Id)).Patiently();
        await one.ClaimAsync("one", ids.Length, Jobs.LongLease, Token);

        await UntilAsync(() => ids.ToHashSet().IsSubsetOf(others.Changes.Select(static c => c.Id)), "A notification of each job");
    }

    [Fact]
    public async Task Concurrent_requests_with_one_key_on_three_instances_create_one_job_per_client()
    {
        PostgreSqlJobStore[] stores = [await OpenAsync(), await OpenAsync(), await OpenAsync()];

        JobAcceptance[] answers = await Task.WhenAll(Enumerable.Range(0, 120).Select(i => Task.Run(
            async () => await stores[i % 3].AcceptAsync(Jobs.New(key: "the-key", client: i % 2 == 0 ? null : "client"), Token)))).Patiently();

        Assert.Equal(2, answers.Count(static a => a.Outcome == AcceptOutcome.Created));
        Assert.All(answers, static a => Assert.NotEqual(AcceptOutcome.OtherRequest, a.Outcome));
        Assert.Equal(2, answers.Select(static a => a.Job.Id).Distinct().Count());
    }

    [Fact]
    public async Task A_job_that_the_database_rejects_does_not_fail_the_others()
    {
        PostgreSqlJobStore store = await OpenAsync();
        string tooLong = string.Concat(Enumerable.Range(0, 4000).Select(static _ => (char)Random.Shared.Next('!', '~')));

        Task<JobAcceptance>[] accepts =
            [.. Enumerable.Range(0, 20).Select(i => store.AcceptAsync(Jobs.New(tags: i == 7 ? [tooLong] : ["ok"]), Token).AsTask())];

        await Assert.ThrowsAnyAsync<JobStoreException>(() => accepts[7]);
        foreach (Task<JobAcceptance> accept in accepts.Where((_, i) => i != 7))
            Assert.Equal(AcceptOutcome.Created, (await accept.Patiently()).Outcome);
    }

    [Fact]
    public async Task Characters_that_PostgreSQL_cannot_store_are_replaced()
    {
        PostgreSqlJobStore store = await OpenAsync();

        Job job = (await store.AcceptAsync(Jobs.New(tags: ["a\0b", "\ud800", "q\"uo\\te{,}", "😀"]), Token)).Job;

        Assert.Equal(((string[])["a\uFFFDb", "\uFFFD", "q\"uo\\te{,}", "😀"]).Order(StringComparer.Ordinal), (await store.GetAsync(job.Id, Token))!.Tags.Order(StringComparer.Ordinal));
        Assert.Equal(job.Id, Assert.Single((await store.ListAsync(new JobQuery { Tag = "a\0b" }, Token)).Jobs).Id);
    }

    [Fact]
    public async Task A_payload_and_a_result_of_many_megabytes_are_read_back_whole()
    {
        PostgreSqlJobStore store = await OpenAsync();
        var body = new byte[20 << 20];
        Random.Shared.NextBytes(body);

        await store.AcceptAsync(Jobs.New() with { Payload = Jobs.Payload().WithBody(body) }, Token);
        JobClaim claim = Assert.Single((await store.ClaimAsync("me", 1, Jobs.LongLease, Token)).Claims);
        await store.FinishAsync(claim, new JobEnd(JobState.Succeeded, new JobResult(200, null, body)), Token);

        Assert.True((await store.ReadBodyAsync(claim, Token))!.Value.Span.SequenceEqual(body));
        Assert.True((await store.GetResultAsync(claim.Job.Id, Token))!.Result!.Body.Span.SequenceEqual(body));
    }

    [Fact]
    public async Task A_due_job_locked_by_another_claim_is_reported_as_due_soon_not_as_too_large()
    {
        PostgreSqlJobStore store = await OpenAsync();
        Job job = (await store.AcceptAsync(Jobs.New(runAt: Jobs.Now + TimeSpan.FromMilliseconds(200), body: "body"), Token)).Job;
        await using var other = new NpgsqlConnection(cluster.ConnectionString);
        await other.OpenAsync(Token);
        await using NpgsqlTransaction claim = await other.BeginTransactionAsync(Token);
        await using var locking = new NpgsqlCommand($"select from {_schema}.jobs where id = '{job.Id}' for update", other);
        await locking.ExecuteNonQueryAsync(Token);
        await UntilAsync(async () => await ScalarAsync($"select run_at < now() from {_schema}.jobs where id = '{job.Id}'") is true, "That the job is due");

        JobClaims none = await store.ClaimAsync("me", 1, 1000, Jobs.LongLease, Token);

        Assert.Equal((0, false), (none.Claims.Count, none.IsOutOfBytes));
        Assert.InRange(none.NextDue!.Value, TimeSpan.FromTicks(1), TimeSpan.FromSeconds(1));
        await claim.RollbackAsync(Token);
        Assert.Equal(job.Id, Assert.Single((await store.ClaimAsync("me", 1, 1000, Jobs.LongLease, Token)).Claims).Job.Id);
    }

    private PostgreSqlJobStore New(IJobStoreListener? listener = null)
    {
        PostgresCluster.Require();
        var store = new PostgreSqlJobStore(cluster.ConnectionString, _schema, PostgresTests.Patient) { Listener = listener };
        _stores.Add(store);
        return store;
    }

    private async Task<PostgreSqlJobStore> OpenAsync(IJobStoreListener? listener = null)
    {
        PostgreSqlJobStore store = New(listener);
        await store.OpenAsync(Token);
        return store;
    }

    private async Task<object?> ScalarAsync(string sql)
    {
        await using var connection = new NpgsqlConnection(cluster.ConnectionString);
        await connection.OpenAsync(Token);
        await using var command = new NpgsqlCommand(sql, connection);
        return await command.ExecuteScalarAsync(Token);
    }
}
