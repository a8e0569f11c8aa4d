namespace PoolApi.Jobs.PostgreSql;

/// <summary>The first schema.</summary>
/// <remarks>
/// <para>A job's row is narrow, since it is written anew with every change of its state; what is big lies beside it: the
/// payload, written once, and the result.</para>
/// <para>A list by state, kind or client walks an index in the order of ids, newest first. Kind and client have the state
/// between them and the id, so that the two filters that are used together most need one index.</para>
/// <para>claim: strictly growing, by the clock; even a claim that a crash of the database has undone (claims do not wait for the
/// disk) shares its number with no other. ended_claim: the latest whose end was written, so that it can be recognised when it is
/// written again. claim_call: which call made the claim, so that a call whose answer was lost can be undone.</para>
/// <para>payloads: a payload's texts, by their place, are in the columns from method to content_type, and in trace_parent. What they mean is the
/// executor's; the names are those of the parts of an HTTP request.</para>
/// <para>The states' numbers are those of <see cref="JobState"/>.</para>
/// </remarks>
internal static class Migration1
{
    public static string Sql(string schema) =>
        $"""
        create table {schema}.jobs (
          id uuid primary key,
          kind text not null,
          client text,
          state smallint not null,
          version bigint not null,
          attempt int not null,
          max_attempts int not null,
          priority smallint not null,
          tags text[] not null,
          created_at timestamptz not null,
          run_at timestamptz not null,
          timeout interval,
          deadline timestamptz,
          started_at timestamptz,
          finished_at timestamptz,
          progress double precision,
          worker text,
          error_name text,
          error_detail text,
          cancel_requested boolean not null default false,
          claim bigint not null default 0,
          ended_claim bigint,
          claim_call bigint,
          lease_until timestamptz,
          redeliveries int not null default 0,
          swept boolean not null default false,
          key bytea,
          fingerprint bytea
        ) with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0,
          autovacuum_vacuum_insert_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05);

        create index jobs_due on {schema}.jobs (priority, run_at) where state = 0;
        create index jobs_deadline on {schema}.jobs (deadline) where state = 0 and deadline is not null;
        create index jobs_state on {schema}.jobs (state, id);
        create index jobs_kind on {schema}.jobs (kind, state, id);
        create index jobs_client on {schema}.jobs (client, state, id) where client is not null;
        create index jobs_finished on {schema}.jobs (swept, finished_at) where finished_at is not null;
        create unique index jobs_key on {schema}.jobs (key) where key is not null;

        create table {schema}.payloads (
          job_id uuid primary key,
          method text not null,
          path text not null,
          query text not null,
          content_type text,
          body bytea not null,
          trace_parent text
        );
        alter table {schema}.payloads alter column body set storage external;

        create table {schema}.results (
          job_id uuid primary key,
          status int not null,
          content_type text,
          body bytea not null
        );
        alter table {schema}.results alter column body set storage external;

        create table {schema}.tags (
          tag text not null,
          job_id uuid not null,
          primary key (tag, job_id)
        );
        """;
}
