namespace PoolApi.Jobs.PostgreSql;

/// <summary>The order of due jobs without a clock, and suspects.</summary>
/// <remarks>
/// <para>turn: the position of a due job in the order of claims, from a sequence. null: the job waits until run_at. An instance of the version before inserts jobs
/// without a turn; they get one with the next claim.</para>
/// <para>waits_from: when a pause before a retry began. If the clock shows an earlier time it was set back, and the pause is over. null: run_at is a start
/// time.</para>
/// <para>suspicion: the number of deaths of instances while the job ran, since it last ended an attempt. deaths: the number of those at which no other job
/// ran in the instance. accompanied: the instance died while other jobs ran there. alone_until: until then its instance claims no other job. lost_claim,
/// lost_alone: the last claim whose instance was presumed dead, and whether it was counted in deaths.</para>
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
