-- Bad input, by SQLSTATE. What needs a commit or a second session is tested elsewhere.
-- (The roles are committed, because the launcher has to see them.)
SET client_min_messages = warning;
DROP ROLE IF EXISTS regress_testpool_alice, regress_testpool_bob;
CREATE ROLE regress_testpool_alice;
CREATE ROLE regress_testpool_bob;
BEGIN;
SELECT no_plan();
GRANT USAGE ON SCHEMA testpool TO regress_testpool_alice, regress_testpool_bob;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA testpool TO regress_testpool_alice, regress_testpool_bob;

-- 22023: a hash is 1 to 1,024 bytes.
SELECT throws_ok(format(call, argument), '22023')
  FROM unnest(ARRAY['SELECT testpool.init_template(%s)', 'SELECT testpool.finalize(%s)',
                    'SELECT testpool.discard(%s)', 'SELECT testpool.prewarm(%s, 1)']) call,
       unnest(ARRAY['NULL', $$''$$, $$repeat('x', 1025)$$]) argument;
SELECT throws_ok(format('SELECT testpool.acquire(%s)', argument), '22023')
  FROM unnest(ARRAY[$$''$$, $$repeat('x', 1025)$$]) argument;
SELECT throws_ok(format(call, argument), '22023')
  FROM unnest(ARRAY['SELECT testpool.rewind(%s)', 'SELECT testpool.recreate(%s)', 'SELECT testpool.keep(%s)', 'SELECT testpool.renew(%s)', $$SELECT testpool.keep_failed(%s, 'test', 'run')$$, 'SELECT testpool.url(%s)']) call,
       unnest(ARRAY['NULL', $$''$$, $$repeat('x', 64)$$]) argument;
SELECT throws_ok(format('SELECT testpool.alias(%s, %s)', name, hash), '22023')
  FROM unnest(ARRAY['NULL', $$''$$, $$repeat('x', 64)$$, $$'n'$$]) name,
       unnest(ARRAY['NULL', $$''$$, $$repeat('x', 1025)$$]) hash;
SELECT throws_ok($$ SELECT testpool.release('') $$, '22023');
SELECT throws_ok($$ SELECT testpool.acquire('h', '-1 s') $$, '22023');
SELECT throws_ok($$ SELECT testpool.prewarm('h', -1) $$, '22023');
SELECT throws_ok($$ SELECT testpool.init_template('h', base => '') $$, '22023');
SELECT throws_ok($$ SELECT testpool.init_template('h', name => repeat('n', 64)) $$, '22023');

-- 42704: there is no such thing.
SELECT throws_ok(call, '42704') FROM unnest(ARRAY[
    $$ SELECT testpool.acquire('pgtap: nothing') $$,
    $$ SELECT testpool.prewarm('pgtap: nothing', 1) $$,
    $$ SELECT testpool.discard('pgtap: nothing') $$,
    $$ SELECT testpool.init_template('h', base => 'pgtap: nothing') $$,
    $$ SELECT testpool.alias('n', 'pgtap: nothing') $$,
    $$ SELECT testpool.release('pgtap: nothing') $$,
    $$ SELECT testpool.rewind('pgtap: nothing') $$,
    $$ SELECT testpool.recreate('pgtap: nothing') $$,
    $$ SELECT testpool.keep('pgtap: nothing') $$,
    $$ SELECT testpool.keep_failed('pgtap: nothing', 'test', 'run') $$,
    $$ SELECT testpool.renew('pgtap: nothing') $$,
    $$ SELECT testpool.url('pgtap: nothing') $$]) call;

-- 55000: it is there, but not in that state. 42501: it is another role's.
SELECT throws_ok($$ SELECT testpool.finalize('pgtap: nothing') $$, '55000');
SET ROLE regress_testpool_alice;
SELECT isnt(testpool.init_template('pgtap'), NULL, 'a role without any right claims a build');
SELECT throws_ok($$ SELECT testpool.init_template('h', base => 'pgtap') $$, '55000');
SELECT throws_ok($$ SELECT testpool.acquire('pgtap', '0 s') $$, '55P03');
SET ROLE regress_testpool_bob;
SELECT throws_ok($$ SELECT testpool.finalize('pgtap') $$, '42501');
SELECT throws_ok($$ SELECT testpool.discard('pgtap') $$, '42501');
SELECT throws_ok($$ SELECT testpool.alias('n', 'pgtap') $$, '42501');
SELECT throws_ok($$ SELECT testpool.reset() $$, '42501');
SET testpool.template_timeout = 1;
SELECT throws_ok($$ SELECT testpool.init_template('pgtap') $$, '55P03');
SET ROLE regress_testpool_alice;
SELECT lives_ok($$ SELECT testpool.discard('pgtap', 'enough') $$, 'its role may give it up');
SELECT throws_ok($$ SELECT testpool.acquire('pgtap') $$, '55000', 'template "pgtap" was discarded');
SELECT throws_ok($$ SELECT testpool.finalize('pgtap') $$, '55000');
SELECT throws_ok($$ SELECT testpool.alias('n', 'pgtap') $$, '55000');
RESET ROLE;

-- 25006: nothing in a read-only transaction.
SET TRANSACTION READ ONLY;
SELECT throws_ok(call, '25006') FROM unnest(ARRAY[
    $$ SELECT testpool.init_template('h') $$, $$ SELECT testpool.finalize('h') $$,
    $$ SELECT testpool.discard('h') $$, $$ SELECT testpool.alias('n', 'h') $$, $$ SELECT testpool.acquire() $$, $$ SELECT testpool.release() $$,
    $$ SELECT testpool.rewind('d') $$, $$ SELECT testpool.recreate('d') $$, $$ SELECT testpool.renew('d') $$, $$ SELECT testpool.keep('d') $$,
    $$ SELECT testpool.keep_failed('d', 'test', 'run') $$,
    $$ SELECT testpool.prewarm('h', 1) $$, $$ SELECT testpool.reset() $$]) call;
SELECT lives_ok('SELECT testpool.url(current_database())');
SELECT lives_ok('SELECT testpool.version()');

SELECT * FROM finish();
ROLLBACK;
DO 'BEGIN PERFORM testpool.reset(); END';
DROP ROLE regress_testpool_alice, regress_testpool_bob;
