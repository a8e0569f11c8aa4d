namespace PoolApi.Jobs.PostgreSql;

/// <summary>Jobs that are due whatever the clock says, and suspects.</summary>
/// <remarks>
/// <para>turn: a job that is due has a place in the line, by a sequence and not by a time. null: it waits until run_at. An
/// instance of the version before, which knows no turns, inserts such jobs; they get a turn with the next claim.</para>
/// <para>waits_from: when a pause began; a clock that shows less has been set back, and the pause is over. null: run_at is a time of day.</para>
/// <para>suspicion: how many deaths of an instance the job ran at without having ended an attempt since; deaths: how many of them
/// while no other job ran there. accompanied: its instance has died, and others ran there. alone_until: its instance claims no other
/// job before. lost_claim, lost_alone: the last claim that was taken for a dead instance's, and whether it counts among deaths.</para>
/// </remarks>
internal static class Migration2
{
    public static string Sql(string schema) =>
        $"""
        create sequence {schema}.turns;
        alter table {schema}.jobs
          add column turn bigint,
          add column waits_from timestamptz,
          add column suspicion int not null default 0,
          add column deaths int not null default 0,
          add column accompanied boolean not null default false,
          add column alone_until timestamptz,
          add column lost_claim bigint,
          add column lost_alone boolean not null default false,
          add column lease_length interval;

        update {schema}.jobs j set turn = t.turn
        from (select id, nextval('{schema}.turns') as turn
              from (select id from {schema}.jobs where state = 1 or (state = 0 and run_at <= created_at) order by run_at, id) o) t
        where j.id = t.id;

        drop index {schema}.jobs_due;
        create index jobs_ready on {schema}.jobs (priority, turn) where state = 0 and suspicion = 0 and turn is not null;
        create index jobs_waiting on {schema}.jobs (run_at) where state = 0 and turn is null;
        create index jobs_paused on {schema}.jobs (waits_from) where state = 0 and turn is null and waits_from is not null;
        create index jobs_suspect on {schema}.jobs (state, priority, turn) where state < 2 and suspicion > 0;
        """;
}
