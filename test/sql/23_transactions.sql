-- A database acquired in a transaction that rolls back is given back; a release that rolls back did
-- not happen.
\pset format unaligned
\pset tuples_only on
SELECT testpool_test.build('tx');

-- acquire
BEGIN;
SELECT testpool.acquire('tx') AS clone \gset
SELECT testpool_test.state_of(:'clone') AS "leased at once";
ROLLBACK;
SELECT testpool_test.eventually(format('coalesce(testpool_test.state_of(%L), ''gone'') <> ''leased''', :'clone'));
BEGIN;
SELECT testpool.acquire('tx') AS clone \gset
COMMIT;
SELECT testpool_test.state_of(:'clone');

-- release
BEGIN;
SELECT testpool.release(:'clone');
SELECT testpool_test.state_of(:'clone') AS "not before the commit";
ROLLBACK;
SELECT testpool_test.state_of(:'clone') AS "nor after a roll-back";
BEGIN;
SELECT testpool.release();
ROLLBACK;
SELECT testpool_test.state_of(:'clone');
BEGIN;
SELECT testpool.release(:'clone');
COMMIT;
SELECT testpool_test.eventually(format('coalesce(testpool_test.state_of(%L), ''gone'') <> ''leased''', :'clone'));

-- Savepoints, for both.
BEGIN;
SELECT testpool.acquire('tx') AS outer \gset
SAVEPOINT s;
SELECT testpool.acquire('tx') AS inner \gset
ROLLBACK TO s;
SELECT testpool_test.eventually(format('coalesce(testpool_test.state_of(%L), ''gone'') <> ''leased''', :'inner'));
SELECT testpool_test.state_of(:'outer');
SAVEPOINT s;
SELECT testpool.acquire('tx') AS inner \gset
RELEASE s;
COMMIT;
SELECT testpool_test.state_of(:'outer'), testpool_test.state_of(:'inner');

BEGIN;
SAVEPOINT s;
SELECT testpool.release(:'inner');
ROLLBACK TO s;
SELECT testpool.release(:'outer');
COMMIT;
SELECT testpool_test.eventually(format('coalesce(testpool_test.state_of(%L), ''gone'') <> ''leased''', :'outer'));
SELECT testpool_test.state_of(:'inner');

-- A savepoint that was released goes the way of the transaction around it.
BEGIN;
SAVEPOINT s;
SELECT testpool.release(:'inner');
RELEASE s;
ROLLBACK;
SELECT testpool_test.state_of(:'inner');
BEGIN;
SAVEPOINT s;
SELECT testpool.acquire('tx') AS nested \gset
RELEASE s;
ROLLBACK;
SELECT testpool_test.eventually(format('coalesce(testpool_test.state_of(%L), ''gone'') <> ''leased''', :'nested'));

-- Acquired and released in one transaction; a roll-back gives it back as well.
BEGIN;
SELECT testpool.acquire('tx') AS both \gset
SELECT testpool.release(:'both');
COMMIT;
SELECT testpool_test.eventually(format('coalesce(testpool_test.state_of(%L), ''gone'') <> ''leased''', :'both'));
BEGIN;
SELECT testpool.acquire('tx') AS both \gset
SELECT testpool.release(:'both');
ROLLBACK;
SELECT testpool_test.eventually(format('coalesce(testpool_test.state_of(%L), ''gone'') <> ''leased''', :'both'));

-- An exception block is a savepoint.
DO $$
DECLARE
    lost text;
BEGIN
    lost := testpool.acquire('tx');
    PERFORM 1 / 0;
EXCEPTION WHEN division_by_zero THEN
    PERFORM set_config('regress.lost', lost, false);
    PERFORM set_config('regress.kept', testpool.acquire('tx'), false);
END $$;
SELECT testpool_test.state_of(current_setting('regress.kept'));
SELECT testpool_test.eventually(format('coalesce(testpool_test.state_of(%L), ''gone'') <> ''leased''',
                                       current_setting('regress.lost')));

-- A statement that fails after it acquired gives back.
SELECT testpool.release();
SELECT 1 / (length(testpool.acquire('tx')) * 0);
SELECT testpool_test.eventually($$ NOT EXISTS (SELECT FROM testpool.databases WHERE state = 'leased') $$);

-- Every isolation level.
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT count(*) FROM testpool.templates;
SELECT testpool.acquire('tx') AS clone \gset
SELECT testpool.release(:'clone');
COMMIT;
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT count(*) FROM testpool.templates;
SELECT testpool.acquire('tx') AS clone \gset
COMMIT;
SELECT testpool_test.state_of(:'clone');
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT testpool.release(:'clone');
COMMIT;
SELECT testpool_test.eventually($$ NOT EXISTS (SELECT FROM testpool.databases WHERE state = 'leased') $$);

-- A claim that is rolled back is given up, one that is finalized is not.
BEGIN;
SELECT testpool.init_template('claim') IS NOT NULL;
ROLLBACK;
SELECT testpool_test.eventually($$ EXISTS (SELECT FROM testpool.templates
                                   WHERE hash = 'claim' AND state = 'discarded') $$);
SELECT reason FROM testpool.templates WHERE hash = 'claim';
BEGIN;
SELECT testpool.init_template('claim') IS NOT NULL;
SELECT testpool.finalize('claim');
ROLLBACK;
SELECT state FROM testpool.templates WHERE hash = 'claim' ORDER BY claimed_at DESC LIMIT 1;

-- discard, keep and recreate take effect at once.
BEGIN;
SELECT testpool.discard('claim', 'rolled back or not');
ROLLBACK;
SELECT state, reason FROM testpool.templates WHERE hash = 'claim' ORDER BY claimed_at DESC LIMIT 1;
BEGIN;
SELECT testpool.acquire('tx') AS clone \gset
SELECT testpool.keep(:'clone', 'to look at') IS NOT NULL;
ROLLBACK;
SELECT state, reason FROM testpool.databases WHERE database = :'clone';
SELECT testpool.release(:'clone');

-- Two-phase commit would lose track of a lease.
BEGIN;
SELECT testpool.acquire('tx') AS clone \gset
PREPARE TRANSACTION 'regress_testpool';
SELECT testpool_test.eventually(format('coalesce(testpool_test.state_of(%L), ''gone'') <> ''leased''', :'clone'));

-- Nothing that changes anything works in a read-only transaction: 25006.
BEGIN READ ONLY;
SELECT testpool_test.error(statement) FROM unnest(ARRAY[
    $$ SELECT testpool.init_template('ro') $$,
    $$ SELECT testpool.finalize('tx') $$,
    $$ SELECT testpool.discard('tx') $$,
    $$ SELECT testpool.acquire('tx') $$,
    $$ SELECT testpool.acquire() $$,
    $$ SELECT testpool.release() $$,
    $$ SELECT testpool.release('d') $$,
    $$ SELECT testpool.recreate('d') $$,
    $$ SELECT testpool.keep('d') $$,
    $$ SELECT testpool.prewarm('tx', 1) $$,
    $$ SELECT testpool.reset() $$
]) statement;
SELECT testpool.url(current_database()) IS NOT NULL, testpool.version() IS NOT NULL;
COMMIT;
SELECT DISTINCT hash, state FROM testpool.templates ORDER BY hash;
SELECT testpool.reset();
