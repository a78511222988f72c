\echo Use "CREATE EXTENSION testpool" to load this file. \quit

-- Refuses every database but the home database, before anything is created in it.
CREATE FUNCTION testpool.created() RETURNS void
    LANGUAGE c AS 'MODULE_PATHNAME', 'testpool_created';
COMMENT ON FUNCTION testpool.created() IS
'Internal: called by the extension''s script only. Raises 55000 outside the home database, and if the schema belongs to a role that is no superuser.';
REVOKE ALL ON FUNCTION testpool.created() FROM PUBLIC;
SELECT testpool.created();

-- State -------------------------------------------------------------------------------------
-- Only the launcher writes these tables, as the rows of system catalogs are written: checks and references are
-- what it promises. No index covers a column that changes, so that every update is a heap-only one, and half
-- of each page is kept free for them: no growth.

CREATE TABLE testpool.template (
    id            integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    hash          text CHECK (octet_length(hash) BETWEEN 1 AND 1024),
    name          text CHECK (octet_length(name) BETWEEN 1 AND 63),
    state         text NOT NULL CHECK (state IN ('building', 'finalized', 'discarded')),
    oid           oid,
    database      name,
    exists        boolean NOT NULL DEFAULT false,
    sealing       boolean NOT NULL DEFAULT false,
    owner         oid NOT NULL,
    base          integer,
    pid           integer,
    session_start timestamptz,
    application   text,
    client        text,
    claimed_at    timestamptz,
    finalized_at  timestamptz,
    discarded_at  timestamptz,
    bytes         bigint,
    sealed_at     pg_lsn,
    frozen_xid    xid,
    min_mxid      xid,
    fingerprint   bigint,
    files         integer,
    clone_strategy text,
    strategy_reason text,
    reason        text,
    failures      integer NOT NULL DEFAULT 0,
    retry_at      timestamptz,
    warning       text,
    sealed_by     xid,
    drift         text,
    resealed_at   timestamptz,
    checksum      bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 50);

CREATE TABLE testpool.database (
    id            bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    template      integer NOT NULL REFERENCES testpool.template,
    oid           oid NOT NULL,
    name          name NOT NULL,
    state         text NOT NULL
                  CHECK (state IN ('cloning', 'ready', 'leased', 'kept', 'recycling', 'failed')),
    generation    integer NOT NULL DEFAULT 1,
    role          oid,
    pid           integer,
    session_start timestamptz,
    application   text,
    client        text,
    created_at    timestamptz NOT NULL,
    ready_at      timestamptz,
    leased_at     timestamptz,
    reason        text,
    error         text,
    retry_at      timestamptz,
    recycled      text,
    recycle_us    bigint,
    relations     integer,
    pages         bigint,
    clone_reason  text,
    sessions_ended text,
    named         boolean NOT NULL DEFAULT false,
    known_as      text,
    rewindable    boolean NOT NULL DEFAULT false,
    checksum      bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 50);

COMMENT ON TABLE testpool.template IS
'Templates: one row for each build that was claimed, and one with a null hash for clones of testpool.root_template. Written by the launcher only; people read the view testpool.templates.';
COMMENT ON COLUMN testpool.template.id IS 'Identifies the build';
COMMENT ON COLUMN testpool.template.hash IS 'Content hash, 1 to 1,024 bytes; null: the root template';
COMMENT ON COLUMN testpool.template.name IS 'Human name given to init_template';
COMMENT ON COLUMN testpool.template.state IS 'building, finalized or discarded';
COMMENT ON COLUMN testpool.template.oid IS 'OID of the template database, chosen before it is created';
COMMENT ON COLUMN testpool.template.database IS 'Name under which the template database was created';
COMMENT ON COLUMN testpool.template.exists IS 'The template database has been created and not yet dropped';
COMMENT ON COLUMN testpool.template.sealing IS 'finalize was called and its work is under way';
COMMENT ON COLUMN testpool.template.owner IS 'OID of the role that claimed the build';
COMMENT ON COLUMN testpool.template.base IS 'The template it was created from; null: testpool.root_template';
COMMENT ON COLUMN testpool.template.pid IS 'Process id of the session that claimed the build';
COMMENT ON COLUMN testpool.template.session_start IS 'When that session started';
COMMENT ON COLUMN testpool.template.application IS 'application_name of that session';
COMMENT ON COLUMN testpool.template.client IS 'Client address of that session';
COMMENT ON COLUMN testpool.template.claimed_at IS 'When the build was claimed';
COMMENT ON COLUMN testpool.template.finalized_at IS 'When it became ready to clone';
COMMENT ON COLUMN testpool.template.discarded_at IS 'When it was given up or removed';
COMMENT ON COLUMN testpool.template.bytes IS 'Size of the template database in bytes when it was finalized; before, that of its base';
COMMENT ON COLUMN testpool.template.sealed_at IS 'Write-ahead log position when it was sealed: none of its pages is younger';
COMMENT ON COLUMN testpool.template.frozen_xid IS 'Its datfrozenxid at that time';
COMMENT ON COLUMN testpool.template.min_mxid IS 'Its datminmxid at that time';
COMMENT ON COLUMN testpool.template.fingerprint IS 'Fingerprint of the names and lengths of its files at that time';
COMMENT ON COLUMN testpool.template.files IS 'How many files they were';
COMMENT ON COLUMN testpool.template.clone_strategy IS 'How it is copied: wal_log or file_copy';
COMMENT ON COLUMN testpool.template.strategy_reason IS 'What that was chosen by';
COMMENT ON COLUMN testpool.template.reason IS 'Why it was discarded';
COMMENT ON COLUMN testpool.template.failures IS 'Clones that failed since the last one that worked';
COMMENT ON COLUMN testpool.template.retry_at IS 'No clone, or no drop, is tried before';
COMMENT ON COLUMN testpool.template.warning IS 'What finalize could not do: how many relations could not be analyzed, which was the first, and why';
COMMENT ON COLUMN testpool.template.sealed_by IS 'The transaction that wrote the database''s row when it was sealed; if that is another, somebody may have been in it';
COMMENT ON COLUMN testpool.template.drift IS 'Why it is not what was sealed, so that used clones are not rewound';
COMMENT ON COLUMN testpool.template.resealed_at IS 'When it was last vacuumed and sealed again';
COMMENT ON COLUMN testpool.template.checksum IS 'Checksum of id and OID on this server; a row without it is not testpool''s';

COMMENT ON TABLE testpool.database IS
'Clones: one row for each database made from a template. Written by the launcher only; people read the view testpool.databases.';
COMMENT ON COLUMN testpool.database.id IS 'Identifies the clone';
COMMENT ON COLUMN testpool.database.template IS 'The template it is a clone of';
COMMENT ON COLUMN testpool.database.oid IS 'OID of the database, chosen before it is created';
COMMENT ON COLUMN testpool.database.name IS 'Name of the database';
COMMENT ON COLUMN testpool.database.state IS 'cloning, ready, leased, kept, recycling or failed';
COMMENT ON COLUMN testpool.database.generation IS 'How many times it was made clean, the first time included';
COMMENT ON COLUMN testpool.database.role IS 'OID of the role that holds the lease';
COMMENT ON COLUMN testpool.database.pid IS 'Process id of the session that acquired it';
COMMENT ON COLUMN testpool.database.session_start IS 'When that session started';
COMMENT ON COLUMN testpool.database.application IS 'application_name of that session';
COMMENT ON COLUMN testpool.database.client IS 'Client address of that session';
COMMENT ON COLUMN testpool.database.created_at IS 'When cloning began';
COMMENT ON COLUMN testpool.database.ready_at IS 'When it last became clean';
COMMENT ON COLUMN testpool.database.leased_at IS 'When it was acquired';
COMMENT ON COLUMN testpool.database.reason IS 'Why it is kept';
COMMENT ON COLUMN testpool.database.error IS 'Why its last clone or drop failed';
COMMENT ON COLUMN testpool.database.retry_at IS 'When the drop is tried again';
COMMENT ON COLUMN testpool.database.recycled IS 'How it last became clean: rewind or clone; null: it is new';
COMMENT ON COLUMN testpool.database.recycle_us IS 'How long that took, in microseconds';
COMMENT ON COLUMN testpool.database.relations IS 'Relations that the last rewind put back or dropped';
COMMENT ON COLUMN testpool.database.pages IS 'Pages that the last rewind put back';
COMMENT ON COLUMN testpool.database.clone_reason IS 'Why it was cloned again rather than rewound';
COMMENT ON COLUMN testpool.database.sessions_ended IS 'How many sessions the last rewind under sessions ended, and why the first of them';
COMMENT ON COLUMN testpool.database.named IS 'It has the name that a client connected to';
COMMENT ON COLUMN testpool.database.known_as IS 'Kept: the name that a client had given it; it was taken away for the next test';
COMMENT ON COLUMN testpool.database.rewindable IS 'Its files tell what was written to them since it became clean, and no crash has come since';
COMMENT ON COLUMN testpool.database.checksum IS 'Checksum of id, template and OID on this server; a row without it is not testpool''s';

-- Views -------------------------------------------------------------------------------------

CREATE VIEW testpool.templates AS
SELECT t.hash,
       t.name,
       t.database,
       t.state,
       pg_get_userbyid(t.owner) AS owner,
       b.hash AS base,
       t.bytes,
       t.files,
       t.clone_strategy,
       t.strategy_reason,
       count(d.id) FILTER (WHERE d.state = 'ready')::integer AS ready,
       count(d.id) FILTER (WHERE d.state = 'leased')::integer AS leased,
       count(d.id) FILTER (WHERE d.state = 'kept')::integer AS kept,
       count(d.id) FILTER (WHERE d.state = 'cloning')::integer AS cloning,
       count(d.id) FILTER (WHERE d.state = 'recycling')::integer AS recycling,
       count(d.id) FILTER (WHERE d.state = 'failed')::integer AS failed,
       t.pid AS builder_pid,
       t.application AS builder_application_name,
       t.client AS builder_client,
       t.claimed_at,
       t.finalized_at,
       t.discarded_at,
       t.reason,
       t.warning,
       t.drift,
       t.resealed_at
  FROM testpool.template t
  LEFT JOIN testpool.template b ON b.id = t.base
  LEFT JOIN testpool.database d ON d.template = t.id
 WHERE t.hash IS NOT NULL
 GROUP BY t.id, b.hash;

CREATE VIEW testpool.databases AS
SELECT d.name AS database,
       t.hash,
       d.state,
       t.name AS template,
       d.generation,
       CASE WHEN d.role IS NOT NULL THEN pg_get_userbyid(d.role) END AS role,
       d.pid,
       d.application AS application_name,
       d.client,
       d.leased_at,
       coalesce(a.sessions, 0) AS sessions,
       d.created_at,
       d.ready_at,
       d.reason,
       d.error,
       d.recycled,
       CASE WHEN d.recycled IS NOT NULL THEN d.recycle_us / 1000.0 END AS recycle_ms,
       CASE WHEN d.recycled IS NOT NULL THEN d.relations END AS relations,
       CASE WHEN d.recycled IS NOT NULL THEN d.pages END AS pages,
       d.clone_reason,
       d.known_as,
       d.sessions_ended
  FROM testpool.database d
  JOIN testpool.template t ON t.id = d.template
  -- All at once: to look at every session for each of a thousand databases would take a while.
  LEFT JOIN (SELECT datid, count(*)::integer AS sessions FROM pg_stat_activity
              WHERE backend_type IN ('client backend', 'walsender') GROUP BY datid) a ON a.datid = d.oid;

CREATE TYPE testpool.tally AS (
    template              integer,
    acquires              bigint,
    waits                 bigint,
    misses                bigint,
    timeouts              bigint,
    waited_us             bigint,
    clones                bigint,
    clone_us              bigint,
    rewinds               bigint,
    clean_returns         bigint,
    rewind_us             bigint,
    refusals              bigint,
    unwatched             bigint,
    drops                 bigint,
    drop_us               bigint,
    abandoned             bigint,
    failures              bigint,
    wait_p50_ms           double precision,
    wait_p95_ms           double precision,
    wait_p99_ms           double precision,
    recently_waited_ms    double precision,
    most_leased           integer,
    drop_debt             integer,
    drop_debt_bytes       bigint,
    last_refusal          text,
    last_error            text,
    last_error_at         timestamptz,
    last_used_at          timestamptz,
    since                 timestamptz
);
COMMENT ON TYPE testpool.tally IS 'Internal: what the launcher counts for one template, by the id of testpool.template';

CREATE FUNCTION testpool.tallies() RETURNS SETOF testpool.tally
    LANGUAGE c VOLATILE PARALLEL RESTRICTED
    AS 'MODULE_PATHNAME', 'testpool_tallies';
COMMENT ON FUNCTION testpool.tallies() IS
'Internal: what the view testpool.stats reads. Returns one row for each template for which something was counted. Does not block. Privileges: none, as for the view.';

CREATE VIEW testpool.stats AS
SELECT t.hash,
       t.name AS template,
       coalesce(c.acquires, 0) AS acquires,
       coalesce(c.waits, 0) AS waits,
       coalesce(c.misses, 0) AS misses,
       coalesce(c.timeouts, 0) AS timeouts,
       round(coalesce(c.waited_us, 0) / 1000.0, 3) AS waited_ms,
       round(c.wait_p50_ms::numeric, 3) AS wait_p50_ms,
       round(c.wait_p95_ms::numeric, 3) AS wait_p95_ms,
       round(c.wait_p99_ms::numeric, 3) AS wait_p99_ms,
       round(coalesce(c.recently_waited_ms, 0)::numeric, 3) AS recently_waited_ms,
       coalesce(c.most_leased, 0) AS most_leased,
       coalesce(c.abandoned, 0) AS abandoned,
       coalesce(c.rewinds, 0) AS rewinds,
       coalesce(c.clean_returns, 0) AS clean_returns,
       round(coalesce(c.rewind_us, 0) / 1000.0, 3) AS rewind_ms,
       coalesce(c.refusals, 0) AS refusals,
       c.last_refusal,
       coalesce(c.unwatched, 0) AS unwatched,
       coalesce(c.clones, 0) AS clones,
       round(coalesce(c.clone_us, 0) / 1000.0, 3) AS clone_ms,
       coalesce(c.drops, 0) AS drops,
       round(coalesce(c.drop_us, 0) / 1000.0, 3) AS drop_ms,
       coalesce(c.drop_debt, 0) AS drop_debt,
       coalesce(c.drop_debt_bytes, 0) AS drop_debt_bytes,
       t.bytes * ((t.oid IS NOT NULL)::integer
                  + (SELECT count(*) FROM testpool.database d WHERE d.template = t.id))::bigint AS bytes,
       coalesce(c.failures, 0) AS failures,
       c.last_error,
       c.last_error_at,
       c.last_used_at,
       c.since
  FROM testpool.template t
  LEFT JOIN testpool.tallies() c ON c.template = t.id;

CREATE TYPE testpool.wait_step AS (
    template integer,
    up_to_us bigint,
    acquires bigint
);
COMMENT ON TYPE testpool.wait_step IS 'Internal: a step of the histogram of waits, for the row of testpool.template of that id';
COMMENT ON COLUMN testpool.wait_step.template IS 'The row of testpool.template';
COMMENT ON COLUMN testpool.wait_step.up_to_us IS 'The longest wait of the step, in microseconds';
COMMENT ON COLUMN testpool.wait_step.acquires IS 'How many waited so long';

CREATE FUNCTION testpool.wait_steps() RETURNS SETOF testpool.wait_step
    LANGUAGE c VOLATILE PARALLEL RESTRICTED
    AS 'MODULE_PATHNAME', 'testpool_wait_steps';
COMMENT ON FUNCTION testpool.wait_steps() IS
'Internal: what the view testpool.waits reads. Returns one row for each step in which something was counted. Does not block. Privileges: none, as for the view.';

CREATE VIEW testpool.waits AS
SELECT t.hash,
       t.name AS template,
       round(s.up_to_us / 1000.0, 3) AS up_to_ms,
       s.acquires
  FROM testpool.wait_steps() s
  JOIN testpool.template t ON t.id = s.template;

COMMENT ON VIEW testpool.waits IS 'How long those waited who got a clone, as a histogram: one row for each template and step in which there was one';
COMMENT ON COLUMN testpool.waits.hash IS 'Hash of the template; null: clones of testpool.root_template';
COMMENT ON COLUMN testpool.waits.template IS 'Human name of the template';
COMMENT ON COLUMN testpool.waits.up_to_ms IS 'The longest wait that belongs to the step, in milliseconds; steps are a quarter apart at most';
COMMENT ON COLUMN testpool.waits.acquires IS 'How many waited so long';

CREATE TYPE testpool.job AS (
    pid         integer,
    of_template boolean,
    row         bigint,
    task        text,
    phase       text,
    bytes       bigint,
    since       timestamptz
);
COMMENT ON TYPE testpool.job IS 'Internal: what a worker is at, for the row of testpool.template or testpool.database of that id';

CREATE FUNCTION testpool.jobs() RETURNS SETOF testpool.job
    LANGUAGE c VOLATILE PARALLEL RESTRICTED
    AS 'MODULE_PATHNAME', 'testpool_jobs';
COMMENT ON FUNCTION testpool.jobs() IS
'Internal: what the view testpool.progress reads. Returns one row for each worker that is at work. Does not block. Privileges: none, as for the view.';

CREATE VIEW testpool.progress AS
SELECT j.pid,
       coalesce(d.name, t.database) AS database,
       t.hash,
       t.name AS template,
       j.task,
       j.phase,
       CASE j.task WHEN 'seal' THEN NULL
                   WHEN 'reseal' THEN NULL
                   WHEN 'drop' THEN greatest(t.bytes - j.bytes, 0)
                   ELSE j.bytes END AS bytes_done,
       nullif(CASE WHEN j.task = 'drop' OR j.task = 'create' AND NOT j.of_template THEN t.bytes
                   WHEN j.task = 'create' THEN b.bytes END, 0) AS bytes_total,
       j.since AS started_at
  FROM testpool.jobs() j
  LEFT JOIN testpool.database d ON d.id = j.row AND NOT j.of_template
  JOIN testpool.template t ON t.id = coalesce(d.template, CASE WHEN j.of_template THEN j.row END)
  LEFT JOIN testpool.template b ON b.id = t.base;

COMMENT ON VIEW testpool.progress IS 'What the workers are at: one row for each that creates, seals, rewinds or drops a database, in the manner of pg_stat_progress_copy';
COMMENT ON COLUMN testpool.progress.pid IS 'Process id of the worker';
COMMENT ON COLUMN testpool.progress.database IS 'Name of the database';
COMMENT ON COLUMN testpool.progress.hash IS 'Hash of its template; null: a clone of testpool.root_template';
COMMENT ON COLUMN testpool.progress.template IS 'Human name of its template';
COMMENT ON COLUMN testpool.progress.task IS 'create, seal, rewind, reseal or drop';
COMMENT ON COLUMN testpool.progress.phase IS 'What of it is being done';
COMMENT ON COLUMN testpool.progress.bytes_done IS 'Bytes copied, put back or removed so far; null: not known';
COMMENT ON COLUMN testpool.progress.bytes_total IS 'How many there will be, taken from the template''s size; null: not known';
COMMENT ON COLUMN testpool.progress.started_at IS 'When the worker began';

COMMENT ON VIEW testpool.templates IS 'Templates: state, owner, size in bytes, number of clones in each state, who builds, times';
COMMENT ON COLUMN testpool.templates.hash IS 'Content hash';
COMMENT ON COLUMN testpool.templates.name IS 'Human name given to init_template';
COMMENT ON COLUMN testpool.templates.database IS 'Name of the template database';
COMMENT ON COLUMN testpool.templates.state IS 'building, finalized or discarded';
COMMENT ON COLUMN testpool.templates.owner IS 'Role that claimed the build';
COMMENT ON COLUMN testpool.templates.base IS 'Hash of the template it was created from; null: testpool.root_template';
COMMENT ON COLUMN testpool.templates.bytes IS 'Size in bytes when it was finalized; before, that of its base; null: not known';
COMMENT ON COLUMN testpool.templates.files IS 'Number of its relation files then';
COMMENT ON COLUMN testpool.templates.clone_strategy IS 'How clones are made: wal_log or file_copy';
COMMENT ON COLUMN testpool.templates.strategy_reason IS 'What that was chosen by: testpool.clone_strategy or auto, size, file system, fsync';
COMMENT ON COLUMN testpool.templates.ready IS 'Clones that wait to be acquired';
COMMENT ON COLUMN testpool.templates.leased IS 'Clones that are acquired';
COMMENT ON COLUMN testpool.templates.kept IS 'Clones that are kept for a person to look at';
COMMENT ON COLUMN testpool.templates.cloning IS 'Clones that are being created';
COMMENT ON COLUMN testpool.templates.recycling IS 'Used clones that are being cleaned or dropped';
COMMENT ON COLUMN testpool.templates.failed IS 'Clones whose creation or drop failed and is tried again';
COMMENT ON COLUMN testpool.templates.builder_pid IS 'Process id of the session that claimed the build';
COMMENT ON COLUMN testpool.templates.builder_application_name IS 'application_name of that session';
COMMENT ON COLUMN testpool.templates.builder_client IS 'Client address of that session';
COMMENT ON COLUMN testpool.templates.claimed_at IS 'When the build was claimed';
COMMENT ON COLUMN testpool.templates.finalized_at IS 'When it became ready to clone';
COMMENT ON COLUMN testpool.templates.discarded_at IS 'When it was given up or removed';
COMMENT ON COLUMN testpool.templates.reason IS 'Why it was discarded';
COMMENT ON COLUMN testpool.templates.warning IS 'What finalize could not do: how many relations could not be analyzed, which was the first, and why';

COMMENT ON COLUMN testpool.templates.drift IS 'Why it is not what was finalized, so that used clones are cloned again rather than rewound; null: it is';
COMMENT ON COLUMN testpool.templates.resealed_at IS 'When it was last vacuumed and sealed again, because autovacuum had changed it or was about to; null: never';

COMMENT ON VIEW testpool.databases IS 'Clones: state, lease holder, sessions inside, times';
COMMENT ON COLUMN testpool.databases.database IS 'Name of the database';
COMMENT ON COLUMN testpool.databases.hash IS 'Hash of its template; null: a clone of testpool.root_template';
COMMENT ON COLUMN testpool.databases.state IS 'cloning, ready, leased, kept, recycling or failed';
COMMENT ON COLUMN testpool.databases.template IS 'Human name of its template';
COMMENT ON COLUMN testpool.databases.generation IS 'How many times it was made clean, the first time included';
COMMENT ON COLUMN testpool.databases.role IS 'Role that holds the lease';
COMMENT ON COLUMN testpool.databases.pid IS 'Process id of the session that acquired it';
COMMENT ON COLUMN testpool.databases.application_name IS 'application_name of that session';
COMMENT ON COLUMN testpool.databases.client IS 'Client address of that session';
COMMENT ON COLUMN testpool.databases.leased_at IS 'When it was acquired';
COMMENT ON COLUMN testpool.databases.sessions IS 'Client sessions that are in the database now';
COMMENT ON COLUMN testpool.databases.created_at IS 'When cloning began';
COMMENT ON COLUMN testpool.databases.ready_at IS 'When it last became clean';
COMMENT ON COLUMN testpool.databases.reason IS 'Why it is kept';
COMMENT ON COLUMN testpool.databases.error IS 'Why its last clone or drop failed';
COMMENT ON COLUMN testpool.databases.recycled IS 'How it last became clean: rewind or clone; null: it is new';
COMMENT ON COLUMN testpool.databases.recycle_ms IS 'How long that took, in milliseconds';
COMMENT ON COLUMN testpool.databases.relations IS 'Relations that the last rewind put back or dropped; 0: nothing had changed';
COMMENT ON COLUMN testpool.databases.pages IS 'Pages that the last rewind put back';
COMMENT ON COLUMN testpool.databases.clone_reason IS 'Why it was cloned again rather than rewound';
COMMENT ON COLUMN testpool.databases.known_as IS 'Name that a kept database had while it was leased, if a client had given it one by connecting';
COMMENT ON COLUMN testpool.databases.sessions_ended IS 'How many sessions the last rewind under sessions ended, and why the first of them';

COMMENT ON VIEW testpool.stats IS 'What happened in the pool of each template since the server started or reset_stats was called';
COMMENT ON COLUMN testpool.stats.hash IS 'Hash of the template; null: clones of testpool.root_template';
COMMENT ON COLUMN testpool.stats.template IS 'Human name of the template';
COMMENT ON COLUMN testpool.stats.acquires IS 'Clones handed out, by acquire and to connections';
COMMENT ON COLUMN testpool.stats.waits IS 'Requests for one that could not be served at once';
COMMENT ON COLUMN testpool.stats.misses IS 'Of those, the ones that found the template finalized and no clone ready';
COMMENT ON COLUMN testpool.stats.timeouts IS 'Requests for one that waited in vain';
COMMENT ON COLUMN testpool.stats.waited_ms IS 'How long all requests for one took together, in milliseconds';
COMMENT ON COLUMN testpool.stats.wait_p50_ms IS 'Half of those served took no longer, in milliseconds; at most a quarter too high, like the other percentiles';
COMMENT ON COLUMN testpool.stats.wait_p95_ms IS '95 % took no longer';
COMMENT ON COLUMN testpool.stats.wait_p99_ms IS '99 % took no longer';
COMMENT ON COLUMN testpool.stats.recently_waited_ms IS 'The same as waited_ms, of the last ten minutes only';
COMMENT ON COLUMN testpool.stats.most_leased IS 'The most clones that were leased at once';
COMMENT ON COLUMN testpool.stats.abandoned IS 'Leases that ended because their session was gone and nobody was in the database';
COMMENT ON COLUMN testpool.stats.rewinds IS 'Used clones that were rewound';
COMMENT ON COLUMN testpool.stats.clean_returns IS 'Used clones in which nothing had changed';
COMMENT ON COLUMN testpool.stats.rewind_ms IS 'How long both took together, in milliseconds';
COMMENT ON COLUMN testpool.stats.refusals IS 'Used clones that were cloned again, because they could not be rewound';
COMMENT ON COLUMN testpool.stats.last_refusal IS 'Why the last of them could not';
COMMENT ON COLUMN testpool.stats.unwatched IS 'Rewinds after which the files could not be watched, so that the next one has to look at each of them';
COMMENT ON COLUMN testpool.stats.clones IS 'Clones made, those that took the place of a used one included';
COMMENT ON COLUMN testpool.stats.clone_ms IS 'How long that took in all, in milliseconds';
COMMENT ON COLUMN testpool.stats.drops IS 'Databases dropped';
COMMENT ON COLUMN testpool.stats.drop_ms IS 'How long that took in all, in milliseconds';
COMMENT ON COLUMN testpool.stats.drop_debt IS 'Databases that wait to be dropped, as when a worker last looked for work';
COMMENT ON COLUMN testpool.stats.drop_debt_bytes IS 'Their size in bytes, taken from the template''s';
COMMENT ON COLUMN testpool.stats.bytes IS 'Size in bytes of the template and all its clones, taken from the template''s; null: not known';
COMMENT ON COLUMN testpool.stats.failures IS 'Builds, seals, clones and drops that failed';
COMMENT ON COLUMN testpool.stats.last_error IS 'Why the last one failed';
COMMENT ON COLUMN testpool.stats.last_error_at IS 'When that was';
COMMENT ON COLUMN testpool.stats.last_used_at IS 'When a clone was last handed out';
COMMENT ON COLUMN testpool.stats.since IS 'When counting began; null: nothing was counted';

-- Functions ---------------------------------------------------------------------------------
-- All of them raise 55000 outside the home database or when the launcher does not run, and all but
-- url and version raise 25006 in recovery and in a read-only transaction.

CREATE FUNCTION testpool.init_template(hash text, base text DEFAULT NULL, name text DEFAULT NULL)
    RETURNS text LANGUAGE c VOLATILE PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'testpool_init_template';
COMMENT ON FUNCTION testpool.init_template(text, text, text) IS
'Claims the build of a template.
hash: 1 to 1,024 bytes of any text, case-sensitive. base: hash of a finalized template to start from; null: testpool.root_template. name: a human name, 1 to 63 bytes, that is no other role''s template''s.
Returns the name of a new database, owned by the calling role, that the caller is to fill before it calls finalize; null if the template is ready. The claim ends with discard, with a roll-back, or once its session is gone and nobody has been in the database for testpool.lease_grace; then the database is dropped.
Blocks, interruptibly, while another session builds, for at most testpool.template_timeout.
Errors: 22023 bad argument; 42501 the name is another role''s; 42704 unknown base; 55000 base not finalized or discarded, or the build it waited for was discarded; 55006 somebody is in the root template for testpool.template_timeout; 55P03 timed out; 53100 the disk is nearly full; 53400 testpool.max_databases or testpool.max_size is reached, and all is in use; 25006; and what CREATE DATABASE raises.
Privileges: EXECUTE; neither CREATEDB nor superuser.';

CREATE FUNCTION testpool.finalize(hash text)
    RETURNS void LANGUAGE c VOLATILE PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'testpool_finalize';
COMMENT ON FUNCTION testpool.finalize(text) IS
'Seals a template that is built: ends the sessions inside, refuses connections, runs VACUUM (FREEZE, ANALYZE) unless testpool.vacuum_templates is off, and lets the pool fill. A relation that cannot be analyzed, because a function in an index fails, is frozen all the same; a warning (01000) names it. Takes effect at once, whatever becomes of the transaction; once more is no error.
hash: as given to init_template. Returns nothing.
Blocks, interruptibly, until the template is ready; if the call is canceled, the sealing goes on.
Errors: 22023 bad argument; 55000 nobody claimed this build, it was discarded, or its database was dropped and not created again by its role; 42501 it is another role''s; 55006 a prepared transaction or a session that does not end is inside, or somebody''s transaction is altering the database; 53000 no background worker is free; 25006.
Privileges: EXECUTE, and the role that claimed the build or a superuser.';

CREATE FUNCTION testpool.discard(hash text, reason text DEFAULT NULL)
    RETURNS void LANGUAGE c VOLATILE PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'testpool_discard';
COMMENT ON FUNCTION testpool.discard(text, text) IS
'Gives up a build, or removes a finalized template and its idle clones; leased clones stay usable until their lease ends. Whoever waits for this hash fails at once with the reason; the next init_template builds afresh. Takes effect at once, whatever becomes of the transaction; once more is no error. The databases are dropped in the background.
hash: as given to init_template. reason: for those who wait or ask later. Returns nothing.
Does not block.
Errors: 22023 bad argument; 42704 unknown hash; 42501 it is another role''s; 25006.
Privileges: EXECUTE, and the role that claimed the build or a superuser.';

CREATE FUNCTION testpool.alias(name text, hash text)
    RETURNS void LANGUAGE c VOLATILE PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'testpool_alias';
COMMENT ON FUNCTION testpool.alias(text, text) IS
'Gives a template a name and takes it from the templates that bear it, so that connections to this name find this template. A template that is finalized later under the same name takes its place. Takes effect at once, whatever becomes of the transaction.
name: 1 to 63 bytes. hash: of a template that is built or being built. Returns nothing.
Does not block.
Errors: 22023 bad argument; 42704 unknown hash; 55000 the template was discarded; 42501 the template, or one that bears the name, is another role''s; 25006.
Privileges: EXECUTE, and the roles that claimed these builds or a superuser.';

CREATE FUNCTION testpool.acquire(hash text DEFAULT NULL, timeout interval DEFAULT NULL)
    RETURNS text LANGUAGE c VOLATILE PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'testpool_acquire';
COMMENT ON FUNCTION testpool.acquire(text, interval) IS
'Leases a clean clone that nobody else has. It can be connected to at once. The lease ends with release, with a roll-back, or once this session is gone and nobody has been in the database for testpool.lease_grace.
hash: of the template; null: the setting testpool.template, else the only finalized template, else, if there is no template at all, a clone of testpool.root_template. timeout: null: testpool.acquire_timeout.
Returns the name of the database.
Blocks, interruptibly, while the template is built and until a clone is ready, for at most the timeout.
Errors: 22023 bad argument; 42704 unknown hash; 42P08 several templates and no choice; 53100 the disk is nearly full; 53400 the role has testpool.max_leases_per_role; 55000 the template was discarded; 55P03 timed out; 25006.
Privileges: EXECUTE.';

CREATE FUNCTION testpool.release(database text DEFAULT NULL)
    RETURNS void LANGUAGE c VOLATILE PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'testpool_release';
COMMENT ON FUNCTION testpool.release(text) IS
'Ends a lease when the transaction commits: sessions still inside are ended, and the database becomes clean again in the background.
database: a leased or kept database; null: every lease of this session, but not what it kept. Returns nothing.
Does not block.
Errors: 22023 bad argument; 42704 unknown database; 55000 not leased; 42501 another role''s; 25006.
Privileges: EXECUTE, and the role of the lease or a superuser.';

CREATE FUNCTION testpool.rewind(database text)
    RETURNS void LANGUAGE c VOLATILE PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'testpool_rewind';
COMMENT ON FUNCTION testpool.rewind(text) IS
'Makes a leased database clean again under the sessions that are connected to it, which stay if they are idle. Returns when it is. Takes effect at once, whatever becomes of the transaction. From inside the database: SET testpool.rewind = now.
database: a leased database. Returns nothing.
Blocks, interruptibly, until the database is clean. Sessions in a transaction have testpool.rewind_timeout to end it; then they are ended, as are those with temporary tables. Where it cannot be rewound it is cloned again, as by recreate.
Errors: 22023 bad argument; 42704 unknown database; 55000 not leased, it has prepared transactions, or its template was discarded; 42501 another role''s; 55006 somebody''s transaction is altering the database; 25006.
Privileges: EXECUTE, and the role of the lease or a superuser.';

CREATE FUNCTION testpool.recreate(database text)
    RETURNS void LANGUAGE c VOLATILE PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'testpool_recreate';
COMMENT ON FUNCTION testpool.recreate(text) IS
'Makes a leased database clean again and keeps the lease: ends the sessions inside, and returns when it is a fresh clone under the same name. Takes effect at once, whatever becomes of the transaction.
database: a leased database. Returns nothing.
Blocks, interruptibly, until the database is clean.
Errors: 22023 bad argument; 42704 unknown database; 55000 not leased, or its template was discarded; 42501 another role''s; 55006 somebody''s transaction is altering the database; 25006; and what DROP and CREATE DATABASE raise.
Privileges: EXECUTE, and the role of the lease or a superuser.';

CREATE FUNCTION testpool.renew(database text)
    RETURNS void LANGUAGE c VOLATILE PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'testpool_renew';
COMMENT ON FUNCTION testpool.renew(text) IS
'Begins a lease anew, for this session: it holds the lease as if it had just acquired the database, with the graces that its settings say. Nothing in the database changes. Takes effect at once, whatever becomes of the transaction.
database: a leased database. Returns nothing.
Does not block.
Errors: 22023 bad argument; 42704 unknown database; 55000 not leased; 42501 another role''s; 25006.
Privileges: EXECUTE, and the role of the lease or a superuser.';

CREATE FUNCTION testpool.keep(database text, reason text DEFAULT NULL)
    RETURNS text LANGUAGE c VOLATILE PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'testpool_keep';
COMMENT ON FUNCTION testpool.keep(text, text) IS
'Takes a leased database out of the pool for a person to look at, until release. One that a client had named by connecting gets another name, so that the next test of that name gets a fresh clone. Takes effect at once, whatever becomes of the transaction.
database: a leased or kept database. reason: shown in testpool.databases. Returns its connection URI, as url does, with the name that it has from now on.
Does not block.
Errors: 22023 bad argument; 42704 unknown database; 55000 not leased; 42501 another role''s; 55006 somebody''s transaction is altering a database that has to get another name; 25006.
Privileges: EXECUTE, and the role of the lease or a superuser.';

CREATE TYPE testpool.difference AS (
    change   text,
    kind     text,
    schema   text,
    name     text,
    detail   text,
    rows     bigint,
    inserted bigint,
    updated  bigint,
    deleted  bigint,
    pages    bigint,
    bytes    bigint
);
COMMENT ON TYPE testpool.difference IS 'How an object of a clone differs from the template''s: a row that diff returns';
COMMENT ON COLUMN testpool.difference.change IS 'added, dropped or changed';
COMMENT ON COLUMN testpool.difference.kind IS 'table, sequence, view, function, type, schema …; catalog: a system catalog whose rows belong to none of these';
COMMENT ON COLUMN testpool.difference.schema IS 'Schema that the object is in; null: it is in none';
COMMENT ON COLUMN testpool.difference.name IS 'Name; of a function with the types of its arguments, of a large object its OID';
COMMENT ON COLUMN testpool.difference.detail IS 'What of a changed object differs, besides rows: definition, columns, constraints, indexes, triggers, rules, policies, partitions, comment, contents, rewritten; of a sequence its value';
COMMENT ON COLUMN testpool.difference.rows IS 'Of a table: how many committed rows there are more than in the template; null: too many pages differ to count them';
COMMENT ON COLUMN testpool.difference.inserted IS 'Rows inserted, as PostgreSQL''s statistics have counted since the database was clean, those rolled back included';
COMMENT ON COLUMN testpool.difference.updated IS 'Rows updated, counted in the same way';
COMMENT ON COLUMN testpool.difference.deleted IS 'Rows deleted, counted in the same way';
COMMENT ON COLUMN testpool.difference.pages IS 'Pages that differ, are new or are gone, those of indexes and of TOAST included';
COMMENT ON COLUMN testpool.difference.bytes IS 'By how much it has grown, in bytes, indexes and TOAST included';

CREATE FUNCTION testpool.diff(database text)
    RETURNS SETOF testpool.difference LANGUAGE c VOLATILE PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'testpool_diff';
COMMENT ON FUNCTION testpool.diff(text) IS
'What was done to a leased database: lists what was added, dropped or changed against its template. Sessions may be inside; what they have not committed shows in pages and bytes only. Changes nothing.
database: a leased or kept database. Returns one row for each object that differs; none if the database is clean.
Does not block, but for ALTER DATABASE on it.
Errors: 22023 bad argument; 42704 unknown database; 55000 not leased, or its template is gone; 42501 another role''s; 25006.
Privileges: EXECUTE, and the role of the lease or a superuser.';

-- For the clients in clients/: what all of them do with a failed test, in one call.
CREATE FUNCTION testpool.keep_failed(database text, test text, run text, at_most integer DEFAULT 3,
                                     OUT url text, OUT changes text)
    LANGUAGE sql VOLATILE PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
    -- One worker of a run at a time counts what is kept, and keeps.
    SELECT pg_advisory_xact_lock(hashtextextended('testpool.keep_failed ' || run, 0));
    -- The changes come first: what is kept may have another name.
    SELECT testpool.keep(keep_failed.database, format('%s: %s', run, test)), before.changes
      FROM (SELECT coalesce((SELECT string_agg(line, E'\n' ORDER BY number) FILTER (WHERE number <= 20)
                                    || CASE WHEN count(*) > 20 THEN format(E'\n… and %s more', count(*) - 20) ELSE '' END
                               FROM (SELECT row_number() OVER () AS number,
                                            concat_ws(' ', change, kind, nullif(concat_ws('.', schema, name), ''))
                                            || coalesce(': ' || nullif(concat_ws(', ', detail,
                                                   CASE WHEN inserted > 0 THEN inserted || ' inserted' END,
                                                   CASE WHEN updated > 0 THEN updated || ' updated' END,
                                                   CASE WHEN deleted > 0 THEN deleted || ' deleted' END,
                                                   CASE WHEN rows > 0 AND coalesce(inserted, 0) = 0 THEN rows || ' rows more' END,
                                                   CASE WHEN rows < 0 AND coalesce(deleted, 0) = 0 THEN -rows || ' rows fewer' END),
                                                   ''), '') AS line
                                       FROM testpool.diff(keep_failed.database)) difference), 'nothing') AS changes
             WHERE (SELECT count(*) FROM testpool.databases
                     WHERE state = 'kept' AND starts_with(reason, run || ': ')) < at_most
            OFFSET 0) before;
    $$;
COMMENT ON FUNCTION testpool.keep_failed(text, text, text, integer) IS
'Keeps the database of a failed test, as keep does, unless enough of the same test run are kept already. Takes effect at once, whatever becomes of the transaction.
database: a leased database. test: name of the test. run: what all workers of one run have in common and no other run has; both go into the reason that testpool.databases shows. at_most: how many of a run are kept.
Returns a row. url: the database''s connection URI; null: enough are kept, and nothing has happened. changes: what diff tells, one line for each object, 20 at most; nothing: there are none.
Blocks while another session keeps one of the same run.
Errors: 22023 bad argument; 42704 unknown database; 55000 not leased, or its template is gone; 42501 another role''s; 55006 somebody''s transaction is altering a database that has to get another name; 25006.
Privileges: EXECUTE, also on keep and diff, and the role of the lease or a superuser.';

CREATE FUNCTION testpool.url(database text)
    RETURNS text LANGUAGE c STABLE PARALLEL RESTRICTED
    AS 'MODULE_PATHNAME', 'testpool_url';
COMMENT ON FUNCTION testpool.url(text) IS
'A libpq connection URI for a database of this server as the caller reached it: address or socket directory, port and role, without a password.
database: any database of this server. Returns the URI.
Does not block.
Errors: 22023 bad argument; 42704 unknown database.
Privileges: EXECUTE.';

CREATE FUNCTION testpool.prewarm(hash text, count integer)
    RETURNS integer LANGUAGE c VOLATILE PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'testpool_prewarm';
COMMENT ON FUNCTION testpool.prewarm(text, integer) IS
'Waits until so many clones of a template are ready.
hash: of the template. count: 0 to testpool.pool_max. Returns how many are ready.
Blocks, interruptibly, while the template is built and until the clones are ready, for at most testpool.acquire_timeout.
Errors: 22023 bad argument; 42704 unknown hash; 53100 the disk is nearly full; 55000 the template was discarded; 55P03 timed out; 25006.
Privileges: EXECUTE.';

CREATE FUNCTION testpool.reset()
    RETURNS void LANGUAGE c VOLATILE PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'testpool_reset';
COMMENT ON FUNCTION testpool.reset() IS
'Drops every template and every clone that testpool created, leased and kept ones included, and forgets them. Takes effect at once, whatever becomes of the transaction.
Returns nothing.
Blocks, interruptibly, until they are gone.
Errors: 42501 not allowed; 25006; and what DROP DATABASE raises.
Privileges: EXECUTE, and the extension''s owner or a superuser.';

CREATE FUNCTION testpool.free_space()
    RETURNS bigint LANGUAGE c VOLATILE PARALLEL RESTRICTED
    AS 'MODULE_PATHNAME', 'testpool_free_space';
COMMENT ON FUNCTION testpool.free_space() IS
'Internal: what advice reads. Returns the free bytes of the disk that the data directory is on. Does not block. Privileges: none, as advice is called with its caller''s.';

CREATE FUNCTION testpool.advice()
    RETURNS SETOF text LANGUAGE c STABLE PARALLEL RESTRICTED
    SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'testpool_advice';
COMMENT ON FUNCTION testpool.advice() IS
'What could be better, one sentence a row: settings that make tests wait, work that need not be, what failed. Reads testpool.stats and pg_settings. Returns nothing if all is well. Does not block. Privileges: EXECUTE.';

CREATE FUNCTION testpool.reset_stats()
    RETURNS void LANGUAGE c VOLATILE PARALLEL RESTRICTED
    AS 'MODULE_PATHNAME', 'testpool_reset_stats';
COMMENT ON FUNCTION testpool.reset_stats() IS
'Sets what testpool.stats shows back to zero, for all templates. Takes effect at once, whatever becomes of the transaction. Returns nothing. Does not block. Privileges: EXECUTE.';

CREATE FUNCTION testpool.version()
    RETURNS text LANGUAGE c IMMUTABLE PARALLEL SAFE
    AS 'MODULE_PATHNAME', 'testpool_version';
COMMENT ON FUNCTION testpool.version() IS
'The version of the library that is loaded, such as 0.1.0. Takes nothing. Does not block. Privileges: EXECUTE.';

-- Privileges: nothing to PUBLIC but reading the views, and that only with USAGE on the schema -------

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA testpool FROM PUBLIC;
GRANT SELECT ON testpool.templates, testpool.databases, testpool.stats, testpool.waits, testpool.progress TO PUBLIC;
-- Who reads a view calls the functions in it; so does who asks for advice.
GRANT EXECUTE ON FUNCTION testpool.tallies(), testpool.wait_steps(), testpool.jobs(), testpool.free_space() TO PUBLIC;
