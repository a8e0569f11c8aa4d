namespace PoolApi.Jobs.Sqlite;

/// <summary>The tables of a file, and the migrations from each version of them to the next. Forward only.</summary>
/// <remarks>
/// <para>Inserts are cheap: the table is ordered by id, which is the order of acceptance, so new rows go to the end. Large values (payload, result)
/// and rare ones (tags, idempotency keys) have tables of their own, which are not rewritten when the job's state changes.</para>
/// <para>Other operations are cheap however many jobs there are. Queued jobs, running jobs and ended jobs each have partial indexes, so that a query
/// reads only rows of its result. Due jobs are ordered by priority, kind and time (<see cref="DueJobReads"/>). Lists are ranges of an index
/// by id, one for each kind and state (<see cref="JobLists"/>). Each transaction updates the counts of jobs in each state.</para>
/// </remarks>
internal static class Schema
{
    /// <summary>"pJob", which distinguishes the file from other programs' databases.</summary>
    public const int ApplicationId = 0x704A6F62;

    /// <summary>The latest version: the number of migrations.</summary>
    public static int Latest => Migrations.Length;

    /// <summary>The number of metadata columns of a payload that are never NULL.</summary>
    public const int PayloadTexts = 3;

    private static readonly string[] Migrations =
    [
        """
        CREATE TABLE jobs (
            id              BLOB NOT NULL PRIMARY KEY,  -- a version 7 UUID, big-endian
            kind            TEXT NOT NULL,
            client          TEXT,                       -- NULL: the job has no client
            state           INTEGER NOT NULL,           -- 0 queued, 1 running, 2 succeeded, 3 failed, 4 cancelled, 5 expired
            version         INTEGER NOT NULL,
            attempt         INTEGER NOT NULL,
            max_attempts    INTEGER NOT NULL,
            priority        INTEGER NOT NULL,           -- -1, 0, 1
            tags            TEXT,                       -- a JSON array; NULL: none
            created_at      INTEGER NOT NULL,           -- all times: microseconds since 1970, UTC
            run_at          INTEGER NOT NULL,
            timeout         INTEGER,                    -- microseconds
            deadline        INTEGER,
            started_at      INTEGER,
            finished_at     INTEGER,
            progress        REAL,
            worker          TEXT,
            error_name      TEXT,
            error_detail    TEXT,
            cancel          INTEGER NOT NULL,           -- 1: its cancellation is requested
            claim           INTEGER NOT NULL,           -- how often it was claimed
            ended_claim     INTEGER NOT NULL,           -- the last claim that was finished
            redeliveries    INTEGER NOT NULL,
            lease           INTEGER,                    -- while it runs: until when
            payload         INTEGER,                    -- payloads.row
            result          INTEGER,                    -- results.row
            idempotency_key TEXT,
            swept           INTEGER NOT NULL            -- 1: payload and result are gone
        ) WITHOUT ROWID;
        CREATE INDEX jobs_by_kind ON jobs (kind, state, id);
        CREATE INDEX jobs_by_client ON jobs (client, kind, state, id) WHERE client IS NOT NULL;
        CREATE INDEX jobs_queued ON jobs (priority, run_at, id) WHERE state = 0;
        CREATE INDEX jobs_with_deadline ON jobs (deadline) WHERE state = 0 AND deadline IS NOT NULL;
        CREATE INDEX jobs_running ON jobs (lease) WHERE state = 1;
        CREATE INDEX jobs_ended ON jobs (swept, finished_at) WHERE finished_at IS NOT NULL;

        -- method to trace_parent: a payload's texts, by their place; what they mean is the executor's
        CREATE TABLE payloads (
            row          INTEGER PRIMARY KEY,
            method       TEXT NOT NULL,
            path         TEXT NOT NULL,
            query        TEXT NOT NULL,
            content_type TEXT,
            trace_parent TEXT,
            body         BLOB NOT NULL
        );
        CREATE TABLE results (
            row          INTEGER PRIMARY KEY,
            status       INTEGER NOT NULL,
            content_type TEXT,
            body         BLOB NOT NULL
        );

        -- client: the text, or the number 0 for no client, which equals no text
        CREATE TABLE job_tags (tag TEXT, client, kind TEXT, state INTEGER, id BLOB, PRIMARY KEY (tag, client, kind, state, id)) WITHOUT ROWID;
        CREATE TABLE idempotency_keys (client, key TEXT, fingerprint BLOB NOT NULL, id BLOB NOT NULL, PRIMARY KEY (client, key)) WITHOUT ROWID;

        CREATE TABLE counts (state INTEGER PRIMARY KEY, jobs INTEGER NOT NULL);
        INSERT INTO counts VALUES (0, 0), (1, 0), (2, 0), (3, 0), (4, 0), (5, 0);
        """,

        // The steady time, and suspects. A process of the previous version may still write jobs. Their due is NULL until run_at.
        """
        -- by the store's own clock: when it became or becomes due; NULL: when the machine's clock shows run_at
        ALTER TABLE jobs ADD COLUMN due INTEGER;
        ALTER TABLE jobs ADD COLUMN expires INTEGER;                          -- its deadline, by the store's own clock
        ALTER TABLE jobs ADD COLUMN ended INTEGER;                            -- when it ended, by the store's own clock; lease is by that, too
        ALTER TABLE jobs ADD COLUMN suspicion INTEGER NOT NULL DEFAULT 0;     -- at so many deaths of an instance it ran, and has not ended an attempt since
        ALTER TABLE jobs ADD COLUMN deaths INTEGER NOT NULL DEFAULT 0;        -- at so many of them it was the only one
        ALTER TABLE jobs ADD COLUMN accompanied INTEGER NOT NULL DEFAULT 0;   -- 1: its instance has died, and others ran there
        ALTER TABLE jobs ADD COLUMN alone_until INTEGER;                      -- its instance claims no other job before
        ALTER TABLE jobs ADD COLUMN lost_claim INTEGER NOT NULL DEFAULT 0;    -- the last claim that was taken for a dead instance's
        ALTER TABLE jobs ADD COLUMN lost_alone INTEGER NOT NULL DEFAULT 0;    -- 1: it counted among deaths

        UPDATE jobs SET due = run_at, expires = deadline WHERE state = 1 OR (state = 0 AND (run_at <= created_at OR attempt > 0));
        UPDATE jobs SET ended = finished_at WHERE finished_at IS NOT NULL;

        DROP INDEX jobs_queued;
        DROP INDEX jobs_with_deadline;
        DROP INDEX jobs_ended;
        CREATE INDEX jobs_due ON jobs (priority, due, id) WHERE state = 0 AND suspicion = 0 AND due IS NOT NULL;
        CREATE INDEX jobs_scheduled ON jobs (run_at) WHERE state = 0 AND due IS NULL;
        CREATE INDEX jobs_suspect ON jobs (state, priority, due, id) WHERE state < 2 AND suspicion > 0;
        CREATE INDEX jobs_expiring ON jobs (expires) WHERE state = 0 AND expires IS NOT NULL;
        CREATE INDEX jobs_ended ON jobs (swept, ended) WHERE ended IS NOT NULL;

        CREATE TABLE clock (row INTEGER PRIMARY KEY CHECK (row = 0), boot TEXT NOT NULL, offset INTEGER NOT NULL);
        -- The state -1 is the time of the last commit by the store's own clock: there it costs no page of its own.
        INSERT INTO counts SELECT -1, coalesce(max(created_at), 0) FROM jobs;
        """,

        // Earlier attempts. A process of the version before leaves the column as it is.
        """
        ALTER TABLE jobs ADD COLUMN earlier TEXT;                             -- a JSON array: the attempts before the latest one; NULL: none
        """,

        // The due jobs of each kind are one range, so that a claim reads no other pool's jobs.
        """
        DROP INDEX jobs_due;
        CREATE INDEX jobs_due ON jobs (priority, kind, due, id, expires) WHERE state = 0 AND suspicion = 0 AND due IS NOT NULL;
        """,
    ];

    /// <summary>Upgrades a file to the latest version, in one transaction. Does nothing if it has that version.</summary>
    /// <exception cref="JobStoreException">The file is another program's, or has a newer version.</exception>
    public static void Update(Database database, string path) => Update(database, path, Latest);

    /// <summary>Upgrades a file to a version, for tests of the following migrations.</summary>
    internal static void Update(Database database, string path, int to)
    {
        if (Version(database, path) >= to) return;
        database.Execute("BEGIN IMMEDIATE");
        try
        {
            // Read again, because another process may have upgraded it meanwhile.
            for (int version = Version(database, path); version < to; version++) database.Execute(Migrations[version]);
            database.Execute($"PRAGMA application_id = {ApplicationId}; PRAGMA user_version = {to}; COMMIT");
        }
        catch
        {
            database.Rollback();
            throw;
        }
    }

    /// <summary>The file's version; 0 if it is empty.</summary>
    private static int Version(Database database, string path)
    {
        long application = database.Number("PRAGMA application_id");
        long version = database.Number("PRAGMA user_version");
        if (application != ApplicationId && (application != 0 || version != 0 || database.Number("SELECT count(*) FROM sqlite_schema") != 0))
        {
            throw new JobStoreException(
                $"'{path}' is a database of another program. Give the path of a job store, or of a file that is not there yet (Jobs:Path).");
        }
        if (version > Latest)
        {
            throw new JobStoreException(
                $"'{path}' was written by a newer version of PoolApi: its schema is {version}, and this version knows up to {Latest}. " +
                "Start that version or a newer one, or give another path (Jobs:Path).");
        }
        return (int)version;
    }
}
