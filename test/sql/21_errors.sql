-- Things that are not there, or not in the state that a function needs: 42704 and 55000. After every
-- error the state is as before.
\pset format unaligned
\pset tuples_only on
SET application_name = 'errors';

-- Nothing there.
SELECT testpool_test.error(statement) FROM unnest(ARRAY[
    $$ SELECT testpool.acquire('nothing') $$,
    $$ SELECT testpool.prewarm('nothing', 1) $$,
    $$ SELECT testpool.discard('nothing') $$,
    $$ SELECT testpool.finalize('nothing') $$,
    $$ SELECT testpool.init_template('h', base => 'nothing') $$,
    $$ SELECT testpool.release('nothing') $$,
    $$ SELECT testpool.recreate('nothing') $$,
    $$ SELECT testpool.keep('nothing') $$,
    $$ SELECT testpool.diff('nothing') $$,
    $$ SELECT testpool.url('nothing') $$,
    -- a long hash is shortened in messages
    $$ SELECT testpool.acquire('0123456789abcdef0123456789abcdef') $$,
    $$ SELECT testpool.acquire(repeat('é', 512)) $$,
    -- a database that testpool did not make is none of its business
    format('SELECT testpool.release(%L)', current_database()),
    $$ SELECT testpool.recreate('template1') $$,
    $$ SELECT testpool.keep('template0') $$
]) statement;
SELECT count(*) FROM testpool.templates;

-- A template that is being built.
SELECT testpool.init_template('half') AS build \gset
SELECT testpool_test.error(statement) FROM unnest(ARRAY[
    $$ SELECT testpool.init_template('h', base => 'half') $$,
    format('SELECT testpool.release(%L)', :'build'),
    format('SELECT testpool.recreate(%L)', :'build'),
    format('SELECT testpool.keep(%L)', :'build'),
    format('SELECT testpool.diff(%L)', :'build')
]) statement;
SELECT testpool.init_template('half') = :'build' AS "its builder may ask again";
SELECT hash, state FROM testpool.templates;

-- A template that was discarded.
SELECT testpool.discard('half', 'migration 17 fails');
SELECT testpool_test.error(statement) FROM unnest(ARRAY[
    $$ SELECT testpool.acquire('half') $$,
    $$ SELECT testpool.prewarm('half', 1) $$,
    $$ SELECT testpool.finalize('half') $$,
    $$ SELECT testpool.init_template('h', base => 'half') $$
]) statement;
SELECT testpool.discard('half', 'another reason') AS "once more is no error";
SELECT state, reason FROM testpool.templates;

-- Databases that nobody leases.
SELECT testpool_test.build('whole');
SELECT testpool.prewarm('whole', 1) >= 1;
SELECT database AS idle FROM testpool.databases WHERE state = 'ready' LIMIT 1 \gset
SELECT testpool_test.error(statement) FROM unnest(ARRAY[
    format('SELECT testpool.release(%L)', :'idle'),
    format('SELECT testpool.recreate(%L)', :'idle'),
    format('SELECT testpool.keep(%L)', :'idle'),
    format('SELECT testpool.diff(%L)', :'idle')
]) statement;
SELECT testpool_test.state_of(:'idle');
SELECT database AS template FROM testpool.templates WHERE hash = 'whole' \gset
SELECT testpool_test.error(format('SELECT testpool.release(%L)', :'template'));

-- A lease that is over, or about to be.
SELECT testpool.acquire('whole') AS clone \gset
BEGIN;
SELECT testpool.release(:'clone');
SELECT testpool_test.error(format('SELECT testpool.release(%L)', :'clone'));
COMMIT;
SELECT testpool_test.error(format('SELECT testpool.release(%L)', :'clone')) ~ '^(55000|42704): ' AS "released once";

-- A kept database cannot be made clean under the eyes of who looks at it.
SELECT testpool.acquire('whole') AS clone \gset
SELECT testpool.keep(:'clone') IS NOT NULL;
SELECT testpool_test.error(format('SELECT testpool.recreate(%L)', :'clone'));
SELECT testpool_test.state_of(:'clone');

-- Nor one whose template is gone.
SELECT testpool.acquire('whole') AS clone \gset
SELECT testpool.discard('whole');
SELECT testpool_test.error(format('SELECT testpool.recreate(%L)', :'clone'));
SELECT testpool_test.state_of(:'clone');

-- An error leaves no claim behind: the hash can be claimed afterwards.
SELECT testpool_test.error($$ SELECT testpool.init_template('fails', base => 'nothing') $$);
SELECT count(*) FROM testpool.templates WHERE hash = 'fails';
SELECT testpool.init_template('fails') IS NOT NULL;
SELECT testpool.reset();
