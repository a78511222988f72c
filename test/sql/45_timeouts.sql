-- Waiting ends: 55P03, with a DETAIL that says for what and for whom.
\pset format unaligned
\pset tuples_only on
SET application_name = 'timeouts';

-- init_template waits for another role's build (here: of the same session).
SET ROLE regress_testpool_alice;
SELECT testpool.init_template('slow') AS build \gset
SET ROLE regress_testpool_bob;
SET testpool.template_timeout = '20 ms';
SELECT testpool_test.error($$ SELECT testpool.init_template('slow') $$);

-- acquire waits for the build.
SELECT testpool_test.error($$ SELECT testpool.acquire('slow', '20 ms') $$);
SELECT testpool_test.error($$ SELECT testpool.acquire('slow', '0') $$);
SET testpool.acquire_timeout = '20 ms';
SELECT testpool_test.error($$ SELECT testpool.acquire('slow') $$);
SELECT testpool_test.error($$ SELECT testpool.acquire() $$) AS "the only template";
RESET testpool.acquire_timeout;
RESET testpool.template_timeout;
RESET ROLE;
SELECT hash, state FROM testpool.templates;
SELECT testpool.discard('slow');

-- acquire waits for a clone: nothing is kept ready of the root template.
SELECT testpool.acquire() AS clone \gset
SELECT testpool_test.error($$ SELECT testpool.acquire(NULL, '0 s') $$);
SET ROLE regress_testpool_bob;
SELECT testpool_test.error($$ SELECT testpool.acquire(NULL, '0 s') $$);
RESET ROLE;

-- A waiting session can be cancelled, and by its own statement_timeout.
SELECT testpool.init_template('slow') AS build \gset
SET statement_timeout = '50 ms';
SELECT testpool.acquire('slow');
SET ROLE regress_testpool_bob;
SELECT testpool.init_template('slow');
SELECT testpool.prewarm('slow', 1);
RESET ROLE;
RESET statement_timeout;

-- Nothing is left of those who gave up.
SELECT testpool.finalize('slow');
SELECT testpool.prewarm('slow', 1) >= 1;
SELECT count(*) FROM testpool.databases WHERE hash = 'slow' AND state = 'leased';

-- A timeout in years is as good as none.
SELECT testpool.acquire('slow', '10000 years') IS NOT NULL;
SELECT testpool.acquire('slow', '178000000 years') IS NOT NULL;
SELECT testpool.reset();
