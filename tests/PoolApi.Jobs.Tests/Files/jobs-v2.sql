SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;
CREATE SCHEMA poolapi;
SET default_tablespace = '';
SET default_table_access_method = heap;
CREATE TABLE poolapi.jobs (
    id uuid NOT NULL,
    kind text NOT NULL,
    client text,
    state smallint NOT NULL,
    version bigint NOT NULL,
    attempt integer NOT NULL,
    max_attempts integer NOT NULL,
    priority smallint NOT NULL,
    tags text[] NOT NULL,
    created_at timestamp with time zone NOT NULL,
    run_at timestamp with time zone NOT NULL,
    timeout interval,
    deadline timestamp with time zone,
    started_at timestamp with time zone,
    finished_at timestamp with time zone,
    progress double precision,
    worker text,
    error_name text,
    error_detail text,
    cancel_requested boolean DEFAULT false NOT NULL,
    claim bigint DEFAULT 0 NOT NULL,
    ended_claim bigint,
    claim_call bigint,
    lease_until timestamp with time zone,
    redeliveries integer DEFAULT 0 NOT NULL,
    swept boolean DEFAULT false NOT NULL,
    key bytea,
    fingerprint bytea,
    turn bigint,
    waits_from timestamp with time zone,
    suspicion integer DEFAULT 0 NOT NULL,
    deaths integer DEFAULT 0 NOT NULL,
    accompanied boolean DEFAULT false NOT NULL,
    alone_until timestamp with time zone,
    lost_claim bigint,
    lost_alone boolean DEFAULT false NOT NULL,
    lease_length interval
)
WITH (autovacuum_vacuum_scale_factor='0.02', autovacuum_vacuum_threshold='5000', autovacuum_vacuum_cost_delay='0', autovacuum_vacuum_insert_scale_factor='0.05', autovacuum_analyze_scale_factor='0.05');
CREATE TABLE poolapi.payloads (
    job_id uuid NOT NULL,
    method text NOT NULL,
    path text NOT NULL,
    query text NOT NULL,
    content_type text,
    body bytea NOT NULL,
    trace_parent text
);
ALTER TABLE ONLY poolapi.payloads ALTER COLUMN body SET STORAGE EXTERNAL;
CREATE TABLE poolapi.results (
    job_id uuid NOT NULL,
    status integer NOT NULL,
    content_type text,
    body bytea NOT NULL
);
ALTER TABLE ONLY poolapi.results ALTER COLUMN body SET STORAGE EXTERNAL;
CREATE TABLE poolapi.schema_version (
    version integer NOT NULL,
    applied_at timestamp with time zone DEFAULT now() NOT NULL
);
CREATE TABLE poolapi.tags (
    tag text NOT NULL,
    job_id uuid NOT NULL
);
CREATE SEQUENCE poolapi.turns
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
INSERT INTO poolapi.jobs VALUES ('01a221df-f099-7685-9b1b-ded27667f27c', 'diagnostics/hash', NULL, 2, 1795864654472518, 1, 3, 0, '{before,first}', '2026-11-28 11:17:34.154575+00', '2026-11-28 11:17:34.154575+00', NULL, NULL, '2026-11-28 11:17:34.154575+00', '2026-11-28 11:17:34.471868+00', NULL, 'vm-10601-f3491c65', NULL, NULL, false, 1795864654155505, 1795864654155505, 3934178089962200713, NULL, 0, false, '\xf2f998a06cf6862b1c52c1e34db02e5142741643050640e7d23b10c74f05be31', '\x0bd89afcbf411f41a2174f18a4a843b8e381e65286a996e77657fa853ef747ca', 1, NULL, 0, 0, false, NULL, NULL, false, '00:00:20');
INSERT INTO poolapi.jobs VALUES ('01a221df-f300-77fe-8eba-23c92c145634', 'thumbnails', NULL, 3, 1795864654679450, 1, 3, 0, '{before}', '2026-11-28 11:17:34.596401+00', '2026-11-28 11:17:34.596401+00', NULL, NULL, '2026-11-28 11:17:34.596401+00', '2026-11-28 11:17:34.678912+00', NULL, 'vm-10601-f3491c65', 'unprocessable-image', 'the image is truncated, corrupt, or of a variant that cannot be decoded', false, 1795864654597599, 1795864654597599, 6797415402447428503, NULL, 0, false, NULL, NULL, 2, NULL, 0, 0, false, NULL, NULL, false, '00:00:20');
INSERT INTO poolapi.jobs VALUES ('01a221df-f36c-79ba-81b0-ab00580e1965', 'thumbnails', NULL, 2, 1795864654727608, 1, 3, 0, '{before}', '2026-11-28 11:17:34.704046+00', '2026-11-28 11:17:34.704046+00', NULL, NULL, '2026-11-28 11:17:34.704046+00', '2026-11-28 11:17:34.727429+00', NULL, 'vm-10601-f3491c65', NULL, NULL, false, 1795864654704322, 1795864654704322, 7681607117652858511, NULL, 0, false, NULL, NULL, 3, NULL, 0, 0, false, NULL, NULL, false, '00:00:20');
INSERT INTO poolapi.jobs VALUES ('01a221df-f398-7a5d-a8d0-440bfad4847d', 'diagnostics/noop', NULL, 4, 1795864654777490, 0, 3, 0, '{before}', '2026-11-28 11:17:34.748027+00', '2027-06-01 00:00:00+00', NULL, NULL, NULL, '2026-11-28 11:17:34.776963+00', NULL, NULL, NULL, NULL, false, 0, NULL, NULL, NULL, 0, false, NULL, NULL, NULL, NULL, 0, 0, false, NULL, NULL, false, NULL);
INSERT INTO poolapi.jobs VALUES ('01a221df-f613-7f13-a6a7-98b5edb17da2', 'thumbnails', NULL, 0, 1, 0, 3, 0, '{before,queued}', '2026-11-28 11:17:35.381415+00', '2026-11-28 11:17:35.381415+00', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, false, 0, NULL, NULL, NULL, 0, false, '\x9916b322cbaedcf8e93dc5bb588c28a9bb83593cae167750c48e17241e787bfb', '\xc34115b6b3b9c0209f28e338de1a9cb64d9b27ca50105336ea1d236262841ddf', 5, NULL, 0, 0, false, NULL, NULL, false, NULL);
INSERT INTO poolapi.jobs VALUES ('01a221df-f629-7c0b-a142-94658a6dbc00', 'diagnostics/noop', NULL, 0, 1, 0, 3, 0, '{before,traced}', '2026-11-28 11:17:35.402913+00', '2026-11-28 11:17:35.402913+00', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, false, 0, NULL, NULL, NULL, 0, false, NULL, NULL, 6, NULL, 0, 0, false, NULL, NULL, false, NULL);
INSERT INTO poolapi.jobs VALUES ('01a221df-f3d3-70d2-b51b-59203847261d', 'diagnostics/sleep', NULL, 1, 1795864655430013, 1, 3, 0, '{before,running}', '2026-11-28 11:17:34.804097+00', '2026-11-28 11:17:34.804097+00', NULL, NULL, '2026-11-28 11:17:34.804097+00', NULL, 0.25, 'vm-10601-f3491c65', NULL, NULL, false, 1795864654804348, NULL, 5755001143699066130, '2026-11-28 11:17:54.804097+00', 0, false, NULL, NULL, 4, NULL, 0, 0, false, NULL, NULL, false, '00:00:20');
INSERT INTO poolapi.jobs VALUES ('01a221df-f645-75c5-ada1-c2cf6b8d86e0', 'diagnostics/noop', NULL, 0, 1, 0, 3, 0, '{before,later}', '2026-11-28 11:17:35.429788+00', '2100-01-01 00:00:00+00', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, false, 0, NULL, NULL, NULL, 0, false, NULL, NULL, NULL, NULL, 0, 0, false, NULL, NULL, false, NULL);
INSERT INTO poolapi.payloads VALUES ('01a221df-f099-7685-9b1b-ded27667f27c', 'POST', '/v1/diagnostics/hash', '?iterations=1000', NULL, '\x', '00-0af7651916cd43dd8448eb211c80319c-fe6eafce4316e86a-01 {"host":"127.0.0.1:18583"}');
INSERT INTO poolapi.payloads VALUES ('01a221df-f300-77fe-8eba-23c92c145634', 'POST', '/v1/thumbnails', '?width=10', 'image/png', '\x89504e470d0a1a0a0000000d49484452000000280000001e0802000000d1bfcb8a0000002b49444154789cedcd6b575a5a5259b0894018b291850c389af46fa6eb44c462b1582c168bc562b158fc375eba277e8cbaaa35f10000000049454e44ae426082', '00-752b611fd106be7a450e9c590f002351-50d267fa465d2ad5-00 {"host":"127.0.0.1:18583"}');
INSERT INTO poolapi.payloads VALUES ('01a221df-f36c-79ba-81b0-ab00580e1965', 'POST', '/v1/thumbnails', '?width=20', 'image/png', '\x89504e470d0a1a0a0000000d49484452000000280000001e0802000000d1bfcb8a0000002b49444154789cedcd310d00000803b0894018b291850c389af46fa6eb44c462b1582c168bc562b158fc375eba277e8cbaaa35f10000000049454e44ae426082', '00-6dcef5ee3dc6bba3512c96c2cec80c4d-1ee0a06ececa8bda-00 {"host":"127.0.0.1:18583"}');
INSERT INTO poolapi.payloads VALUES ('01a221df-f398-7a5d-a8d0-440bfad4847d', 'POST', '/v1/diagnostics/noop', '', NULL, '\x', '00-30f81dc1b73fa5f10d06b8d0d3778ebd-03f59bc841ea16eb-00 {"host":"127.0.0.1:18583"}');
INSERT INTO poolapi.payloads VALUES ('01a221df-f613-7f13-a6a7-98b5edb17da2', 'POST', '/v1/thumbnails', '?width=30&format=png', 'image/png', '\x89504e470d0a1a0a0000000d49484452000000280000001e0802000000d1bfcb8a0000002b49444154789cedcd310d00000803b0894018b291850c389af46fa6eb44c462b1582c168bc562b158fc375eba277e8cbaaa35f10000000049454e44ae426082', '00-f3e47409b2501c3102eede14ee78539e-f022ac3bc8d8b69b-00 {"host":"127.0.0.1:18583"}');
INSERT INTO poolapi.payloads VALUES ('01a221df-f645-75c5-ada1-c2cf6b8d86e0', 'POST', '/v1/diagnostics/noop', '', NULL, '\x', '00-4fcfeb69a77a285c235c316882997ddf-3bf80796ffe598b0-00 {"host":"127.0.0.1:18583"}');
INSERT INTO poolapi.payloads VALUES ('01a221df-f629-7c0b-a142-94658a6dbc00', 'POST', '/v1/diagnostics/noop', '', NULL, '\x', '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01');
INSERT INTO poolapi.payloads VALUES ('01a221df-f3d3-70d2-b51b-59203847261d', 'POST', '/v1/diagnostics/sleep', '?ms=10', NULL, '\x', '00-7a698104dda3d7291942a818a7460928-3dc2e66b394e085d-00 {"host":"127.0.0.1:18583"}');
INSERT INTO poolapi.results VALUES ('01a221df-f099-7685-9b1b-ded27667f27c', 200, 'text/plain; charset=utf-8', '\x636161346161643932636130363335623031653034373037663566643835316234323533333034346265633261326563333933653538396132343431613635320a');
INSERT INTO poolapi.results VALUES ('01a221df-f300-77fe-8eba-23c92c145634', 422, 'application/problem+json', '\x7b2274797065223a2275726e3a706f6f6c6170693a70726f626c656d3a756e70726f6365737361626c652d696d616765222c227469746c65223a2254686520636f6e74656e742063616e6e6f742062652070726f636573736564222c22737461747573223a3432322c2264657461696c223a2274686520696d616765206973207472756e63617465642c20636f72727570742c206f72206f6620612076617269616e7420746861742063616e6e6f74206265206465636f646564222c2274726163654964223a223735326236313166643130366265376134353065396335393066303032333531222c226572726f7273223a7b22626f6479223a5b2274686520696d616765206973207472756e63617465642c20636f72727570742c206f72206f6620612076617269616e7420746861742063616e6e6f74206265206465636f646564225d7d7d');
INSERT INTO poolapi.results VALUES ('01a221df-f36c-79ba-81b0-ab00580e1965', 200, 'image/webp', '\x524946464600000057454250565038203a0000001003009d012a14000f003e6d2c9245a422a19804004006c4a007600fc00011bc8000fee6cedfffe6095f906ed43fffe936789b3c4d9f1cc00000');
INSERT INTO poolapi.schema_version VALUES (1, '2026-11-28 11:17:33.329279+00');
INSERT INTO poolapi.schema_version VALUES (2, '2026-11-28 11:17:33.329279+00');
INSERT INTO poolapi.tags VALUES ('before', '01a221df-f099-7685-9b1b-ded27667f27c');
INSERT INTO poolapi.tags VALUES ('first', '01a221df-f099-7685-9b1b-ded27667f27c');
INSERT INTO poolapi.tags VALUES ('before', '01a221df-f300-77fe-8eba-23c92c145634');
INSERT INTO poolapi.tags VALUES ('before', '01a221df-f36c-79ba-81b0-ab00580e1965');
INSERT INTO poolapi.tags VALUES ('before', '01a221df-f398-7a5d-a8d0-440bfad4847d');
INSERT INTO poolapi.tags VALUES ('before', '01a221df-f3d3-70d2-b51b-59203847261d');
INSERT INTO poolapi.tags VALUES ('running', '01a221df-f3d3-70d2-b51b-59203847261d');
INSERT INTO poolapi.tags VALUES ('before', '01a221df-f613-7f13-a6a7-98b5edb17da2');
INSERT INTO poolapi.tags VALUES ('queued', '01a221df-f613-7f13-a6a7-98b5edb17da2');
INSERT INTO poolapi.tags VALUES ('before', '01a221df-f629-7c0b-a142-94658a6dbc00');
INSERT INTO poolapi.tags VALUES ('traced', '01a221df-f629-7c0b-a142-94658a6dbc00');
INSERT INTO poolapi.tags VALUES ('before', '01a221df-f645-75c5-ada1-c2cf6b8d86e0');
INSERT INTO poolapi.tags VALUES ('later', '01a221df-f645-75c5-ada1-c2cf6b8d86e0');
SELECT pg_catalog.setval('poolapi.turns', 6, true);
ALTER TABLE ONLY poolapi.jobs
    ADD CONSTRAINT jobs_pkey PRIMARY KEY (id);
ALTER TABLE ONLY poolapi.payloads
    ADD CONSTRAINT payloads_pkey PRIMARY KEY (job_id);
ALTER TABLE ONLY poolapi.results
    ADD CONSTRAINT results_pkey PRIMARY KEY (job_id);
ALTER TABLE ONLY poolapi.schema_version
    ADD CONSTRAINT schema_version_pkey PRIMARY KEY (version);
ALTER TABLE ONLY poolapi.tags
    ADD CONSTRAINT tags_pkey PRIMARY KEY (tag, job_id);
CREATE INDEX jobs_client ON poolapi.jobs USING btree (client, state, id) WHERE (client IS NOT NULL);
CREATE INDEX jobs_deadline ON poolapi.jobs USING btree (deadline) WHERE ((state = 0) AND (deadline IS NOT NULL));
CREATE INDEX jobs_finished ON poolapi.jobs USING btree (swept, finished_at) WHERE (finished_at IS NOT NULL);
CREATE UNIQUE INDEX jobs_key ON poolapi.jobs USING btree (key) WHERE (key IS NOT NULL);
CREATE INDEX jobs_kind ON poolapi.jobs USING btree (kind, state, id);
CREATE INDEX jobs_paused ON poolapi.jobs USING btree (waits_from) WHERE ((state = 0) AND (turn IS NULL) AND (waits_from IS NOT NULL));
CREATE INDEX jobs_ready ON poolapi.jobs USING btree (priority, turn) WHERE ((state = 0) AND (suspicion = 0) AND (turn IS NOT NULL));
CREATE INDEX jobs_state ON poolapi.jobs USING btree (state, id);
CREATE INDEX jobs_suspect ON poolapi.jobs USING btree (state, priority, turn) WHERE ((state < 2) AND (suspicion > 0));
CREATE INDEX jobs_waiting ON poolapi.jobs USING btree (run_at) WHERE ((state = 0) AND (turn IS NULL));
