using Npgsql;
using NpgsqlTypes;

namespace PoolApi.Jobs.PostgreSql;

/// <summary>Cancels and retries jobs at the request of clients.</summary>
internal sealed class Transitions
{
    private readonly Database _database;
    private readonly ChangeNotifier _changes;
    private readonly string _cancel;
    private readonly string _retry;

    public Transitions(Database database, string schema, ChangeNotifier changes)
    {
        (_database, _changes) = (database, changes);
        _cancel = Sql(
            schema,
            """
            state = case b.state when 0 then 4 else 1 end, cancel_requested = b.state = 1, finished_at = case b.state when 0 then now() end
            """,
            "b.state = 0 or (b.state = 1 and not b.cancel_requested)",
            "");
        _retry = Sql(
            schema,
            $"""
            state = 0, attempt = 0, redeliveries = 0, suspicion = 0, deaths = 0, lost_claim = null, run_at = now(), waits_from = null,
            earlier = {PastAttemptsSql.WithEnd}, turn = nextval('{schema}.turns'), deadline = now() + j.timeout, started_at = null, finished_at = null,
            progress = null, worker = null, ended_claim = null, error_name = null, error_detail = null, cancel_requested = false
            """,
            "b.state in (3, 4, 5) and not b.swept",
            $", unresulted as (delete from {schema}.results r using changed where r.job_id = changed.id)");
    }

    public async ValueTask<JobTransition?> CancelAsync(Guid id, CancellationToken cancellation) => await ChangeAsync(_cancel, id, cancellation);

    public async ValueTask<JobTransition?> RetryAsync(Guid id, CancellationToken cancellation) => await ChangeAsync(_retry, id, cancellation);

    private static string Sql(string schema, string set, string where, string more) =>
        $"""
        with before as materialized (
          select {JobColumns.Of("j")}, j.swept from {schema}.jobs j where j.id = $1 for update
        ), changed as (
          update {schema}.jobs j set version = {JobVersion.Next}, {set}
          from before b where j.id = b.id and ({where})
          returning {JobColumns.Of("j")}
        ){more}
        select {JobColumns.From("c")}, b.state, true from changed c, before b
        union all
        select {JobColumns.From("b")}, b.state, false from before b where not exists (select from changed)
        """;

    // Not repeatable: if the first run was committed, a second one would report the changed state as the state before.
    private Task<JobTransition?> ChangeAsync(string sql, Guid id, CancellationToken cancellation) => _database.RunAsync<JobTransition?>(
        async connection =>
        {
            await using var command = new NpgsqlCommand(sql, connection);
            command.Parameters.With(NpgsqlDbType.Uuid, id);
            await command.PrepareAsync();
            JobTransition? transition;
            bool isChanged;
            await using (NpgsqlDataReader reader = await command.ExecuteReaderAsync())
            {
                (transition, isChanged) = await reader.ReadAsync()
                    ? (new JobTransition((JobState)reader.GetInt16(JobColumns.Count), JobColumns.Read(reader)), reader.GetBoolean(JobColumns.Count + 1))
                    : default;
            }
            if (transition is { After: { } after } && isChanged)
            {
                _changes.Changed(new JobChange(after.Id, after.Version, after.IsCancelRequested));
                if (after.State == JobState.Queued) _changes.MayBeDue();
            }
            return transition;
        },
        mayRepeat: false, cancellation);
}
