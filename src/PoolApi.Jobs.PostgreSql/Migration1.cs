namespace PoolApi.Jobs.PostgreSql;

/// <summary>The first schema.</summary>
/// <remarks>
/// <para>A job's row is small, because every change of its state rewrites it. The payload, which is written once, and the result have tables of their
/// own.</para>
/// <para>A list by state, kind or client reads an index by id, newest first. The indexes of kind and client have the state before the id, so that the most
/// frequent pairs of filters need only one index.</para>
/// <para>claim: grows strictly, by the clock. Even a claim that a crash of the database has undone shares its number with no other. ended_claim: the last
/// claim whose end was written, so that a repeated call is recognised. claim_call: the call that made the claim, so that a call whose response was lost
/// can be undone.</para>
/// <para>payloads: the metadata strings of a payload are in the columns from method to content_type, and in trace_parent. The columns are named after
/// parts of an HTTP request, but only the executor interprets them.</para>
/// <para>The numbers of the states are those of <see cref="JobState"/>.</para>
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
