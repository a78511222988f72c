-- Who may do what. A claim or lease belongs to its role; a superuser may for all.
\pset format unaligned
\pset tuples_only on

-- A role without any right but EXECUTE does the whole flow.
SELECT rolsuper, rolcreatedb FROM pg_roles WHERE rolname = 'regress_testpool_alice';
SET ROLE regress_testpool_alice;
SELECT testpool.init_template('alice') AS build \gset
SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = :'build';
SELECT hash, state, owner FROM testpool.templates;

-- Nobody else may touch the build.
SET ROLE regress_testpool_bob;
SELECT testpool_test.error($$ SELECT testpool.finalize('alice') $$);
SELECT testpool_test.error($$ SELECT testpool.discard('alice') $$);
SELECT state FROM testpool.templates;
SET ROLE regress_testpool_alice;
SELECT testpool.finalize('alice');
SET ROLE regress_testpool_bob;
SELECT testpool_test.error($$ SELECT testpool.finalize('alice') $$);
SELECT testpool_test.error($$ SELECT testpool.discard('alice') $$);

-- Anybody who may acquire may acquire from it. The clone belongs to the template's owner.
SELECT testpool.acquire('alice') AS bobs \gset
SELECT role FROM testpool.databases WHERE database = :'bobs';
SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = :'bobs';

-- Nobody else may touch the lease, even in the same session.
SET ROLE regress_testpool_alice;
SELECT testpool_test.error(format('SELECT testpool.release(%L)', :'bobs'));
SELECT testpool_test.error(format('SELECT testpool.recreate(%L)', :'bobs'));
SELECT testpool_test.error(format('SELECT testpool.keep(%L)', :'bobs'));
SELECT testpool_test.error(format('SELECT testpool.renew(%L)', :'bobs'));
SELECT testpool_test.error(format('SELECT testpool.diff(%L)', :'bobs'));
SELECT testpool_test.state_of(:'bobs');

-- A member of the role may.
RESET ROLE;
GRANT regress_testpool_bob TO regress_testpool_alice;
SET ROLE regress_testpool_alice;
SELECT testpool.recreate(:'bobs');
SELECT testpool.release(:'bobs');
RESET ROLE;
REVOKE regress_testpool_bob FROM regress_testpool_alice;

-- A superuser may.
SET ROLE regress_testpool_bob;
SELECT testpool.acquire('alice') AS bobs \gset
RESET ROLE;
SELECT testpool.recreate(:'bobs');
SELECT testpool.keep(:'bobs') IS NOT NULL;
SELECT role FROM testpool.databases WHERE database = :'bobs';
SELECT testpool.release(:'bobs');

-- What a superuser leases is not for others.
SELECT testpool.acquire('alice') AS roots \gset
SET ROLE regress_testpool_bob;
SELECT testpool_test.error(format('SELECT testpool.release(%L)', :'roots'));
RESET ROLE;
SELECT testpool.release(:'roots');

-- A superuser may seal and discard what others build.
SET ROLE regress_testpool_bob;
SELECT testpool.init_template('bob') IS NOT NULL;
RESET ROLE;
SELECT testpool.finalize('bob');
SELECT state, owner FROM testpool.templates WHERE hash = 'bob';
SELECT testpool.discard('bob');
SELECT state, owner FROM testpool.templates WHERE hash = 'bob';

-- Another session of the same role may.
SET ROLE regress_testpool_bob;
SELECT testpool.acquire('alice') AS bobs \gset
\c
SET ROLE regress_testpool_bob;
SELECT testpool.release(:'bobs');

-- reset is for superusers and the extension's owner.
SELECT testpool_test.error('SELECT testpool.reset()');
SELECT count(*) FROM testpool.templates;

-- Nobody writes the tables but testpool; nobody else reads them.
SELECT testpool_test.error(statement) FROM unnest(ARRAY[
    'SELECT FROM testpool.template',
    'DELETE FROM testpool.template',
    'UPDATE testpool.database SET state = ''ready''',
    'DELETE FROM testpool.templates'
]) statement;

-- Without a grant there is nothing to call.
SET ROLE regress_testpool_stranger;
SELECT testpool_test.error('SELECT testpool.acquire()');
RESET ROLE;
GRANT USAGE ON SCHEMA testpool TO regress_testpool_stranger;
SET ROLE regress_testpool_stranger;
SELECT testpool_test.error(statement) FROM unnest(ARRAY[
    'SELECT testpool.init_template(''h'')',
    'SELECT testpool.finalize(''h'')',
    'SELECT testpool.discard(''h'')',
    'SELECT testpool.acquire()',
    'SELECT testpool.release()',
    'SELECT testpool.recreate(''d'')',
    'SELECT testpool.keep(''d'')',
    'SELECT testpool.diff(''d'')',
    'SELECT testpool.url(''d'')',
    'SELECT testpool.prewarm(''h'', 1)',
    'SELECT testpool.reset()',
    'SELECT testpool.version()',
    'SELECT testpool.created()'
]) statement;
SELECT count(*) AS "the views are for everybody" FROM testpool.templates;
RESET ROLE;
REVOKE USAGE ON SCHEMA testpool FROM regress_testpool_stranger;

SELECT testpool.reset();
