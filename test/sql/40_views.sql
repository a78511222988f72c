-- What people see: testpool.templates and testpool.databases.
SELECT current_database() AS home \gset
\d testpool.templates
\d testpool.databases

SET application_name = 'the builder';
SELECT testpool.init_template('shown', name => 'for people') AS build \gset
SELECT hash, name, database = :'build' AS database, state, owner = current_user AS owner, base, bytes,
       ready, leased, kept, cloning, recycling, failed
  FROM testpool.templates;
SELECT builder_pid = pg_backend_pid() AS pid, builder_application_name,
       builder_client IS NOT NULL AS client,
       claimed_at BETWEEN now() - interval '1 minute' AND clock_timestamp() AS claimed,
       finalized_at, discarded_at, reason
  FROM testpool.templates;

SELECT testpool.finalize('shown');
SELECT testpool.prewarm('shown', 2) >= 2 AS prewarmed;
SELECT state, bytes = pg_database_size(database) AS bytes, ready >= 2 AS ready, leased, kept,
       recycling, failed, finalized_at > claimed_at AS finalized
  FROM testpool.templates;
SELECT hash, state, template, generation, role, pid, application_name, client, leased_at, sessions,
       ready_at >= created_at AS "in order", reason, error
  FROM testpool.databases WHERE state = 'ready' ORDER BY created_at LIMIT 1;

-- A lease shows its holder and who is inside.
SET application_name = 'the holder';
SELECT testpool.acquire('shown') AS clone, pg_backend_pid() AS holder \gset
SELECT state, hash, template, role = current_user AS role, pid = pg_backend_pid() AS pid,
       application_name, leased_at >= ready_at AS leased, sessions
  FROM testpool.databases WHERE database = :'clone';
SELECT leased FROM testpool.templates;
SELECT testpool.keep(:'clone', 'assertion failed in line 7') IS NOT NULL AS kept;
SELECT state, reason, pid = :holder AS pid FROM testpool.databases WHERE database = :'clone';
SELECT leased, kept FROM testpool.templates;
SELECT testpool.release(:'clone');
SELECT testpool_test.eventually($$ (SELECT kept = 0 AND recycling = 0 AND cloning = 0
                                     FROM testpool.templates) $$) AS settled;

-- The counts are those of the other view.
SELECT t.ready = count(*) FILTER (WHERE d.state = 'ready') AS agree
  FROM testpool.templates t JOIN testpool.databases d USING (hash) GROUP BY t.hash, t.ready;

-- A discarded template stays in sight, without databases.
SELECT testpool.discard('shown', 'no longer needed');
SELECT testpool_test.eventually($$ NOT EXISTS (SELECT FROM testpool.databases) $$) AS dropped;
SELECT hash, state, discarded_at >= finalized_at AS "in order", reason, ready, leased, kept, cloning,
       recycling, failed
  FROM testpool.templates;

-- Clones of the root template stand in the one view and not in the other.
SELECT testpool.acquire() AS clone \gset
SELECT hash, template, state FROM testpool.databases;
SELECT count(*) FROM testpool.templates WHERE state <> 'discarded';
SELECT testpool.reset();
SELECT count(*) FROM testpool.templates;
SELECT count(*) FROM testpool.databases;
