-- Who may do what: nothing for PUBLIC but reading the views, which takes what they call.
CREATE TEMP VIEW called_by_views AS SELECT unnest('{tallies,wait_steps,jobs,free_space}'::name[]) AS proname;
BEGIN;
SELECT no_plan();
CREATE ROLE regress_testpool_nobody;
CREATE ROLE regress_testpool_user;
GRANT USAGE ON SCHEMA testpool TO regress_testpool_user;

SELECT schema_privs_are('testpool', 'regress_testpool_nobody', '{}');

-- EXECUTE is revoked from PUBLIC, on every function.
SELECT function_privs_are('testpool', p.proname,
           ARRAY(SELECT format_type(t, NULL) FROM unnest(p.proargtypes) WITH ORDINALITY a (t, n) ORDER BY n),
           'regress_testpool_nobody', '{}', format('%s is not for PUBLIC', p.proname))
  FROM pg_proc p WHERE pronamespace = 'testpool'::regnamespace AND proname NOT IN (TABLE called_by_views);
SELECT is_empty($$
    SELECT p.oid::regprocedure FROM pg_proc p, aclexplode(coalesce(proacl, acldefault('f', proowner))) a
     WHERE pronamespace = 'testpool'::regnamespace AND a.grantee = 0
       AND proname NOT IN (TABLE called_by_views) $$, 'nothing is granted to PUBLIC');

-- SELECT on the views and no more; nothing on the tables and their sequences.
SELECT table_privs_are('testpool', viewname, 'regress_testpool_user', ARRAY['SELECT'],
                       format('%s can be read and no more', viewname))
  FROM pg_views WHERE schemaname = 'testpool';
SELECT table_privs_are('testpool', tablename, 'regress_testpool_user', '{}', format('table %s is closed', tablename))
  FROM pg_tables WHERE schemaname = 'testpool';
SELECT sequence_privs_are('testpool', sequencename, 'regress_testpool_user', '{}', format('sequence %s is closed', sequencename))
  FROM pg_sequences WHERE schemaname = 'testpool';
SELECT schema_privs_are('testpool', 'regress_testpool_user', ARRAY['USAGE'], 'nobody creates anything in the schema');

-- So it is in practice.
SET ROLE regress_testpool_user;
SELECT lives_ok('SELECT * FROM testpool.templates', 'templates can be read');
SELECT lives_ok('SELECT * FROM testpool.databases', 'databases can be read');
SELECT lives_ok('SELECT * FROM testpool.stats', 'stats can be read');
SELECT throws_ok('SELECT testpool.reset_stats()', '42501');
SELECT throws_ok('SELECT * FROM testpool.advice()', '42501');
SELECT throws_ok('SELECT * FROM testpool.template', '42501');
SELECT throws_ok('INSERT INTO testpool.template (hash) VALUES (''h'')', '42501');
SELECT throws_ok('UPDATE testpool.database SET role = NULL', '42501');
SELECT throws_ok('DELETE FROM testpool.database', '42501');
SELECT throws_ok('TRUNCATE testpool.database', '42501');
SELECT throws_ok('SELECT testpool.acquire()', '42501');
SELECT throws_ok('SELECT testpool.reset()', '42501');
SELECT throws_ok('CREATE TABLE testpool.mine ()', '42501');
SELECT throws_ok('CREATE FUNCTION testpool.acquire(int) RETURNS int LANGUAGE sql AS ''SELECT 1''', '42501');
SELECT throws_ok('SET testpool.pool_size = 1000', '55P02');
RESET ROLE;

-- Nothing runs with other rights than its caller's, so there is no search_path to get wrong.
SELECT is_empty($$ SELECT oid::regprocedure FROM pg_proc
                    WHERE pronamespace = 'testpool'::regnamespace AND prosecdef $$, 'no function is SECURITY DEFINER');
SELECT is(pg_get_userbyid(nspowner)::text, pg_get_userbyid(extowner)::text, 'schema and extension have one owner')
  FROM pg_namespace n, pg_extension e WHERE nspname = 'testpool' AND extname = 'testpool';

SELECT * FROM finish();
ROLLBACK;
