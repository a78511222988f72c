-- Arguments that make no sense: 22023, before anything is done.
\pset format unaligned
\pset tuples_only on
SELECT testpool_test.error(statement) FROM unnest(ARRAY[
    -- a hash has 1 to 1,024 bytes
    $$ SELECT testpool.init_template(NULL) $$,
    $$ SELECT testpool.init_template('') $$,
    $$ SELECT testpool.init_template(repeat('x', 1025)) $$,
    $$ SELECT testpool.finalize(NULL) $$,
    $$ SELECT testpool.finalize('') $$,
    $$ SELECT testpool.finalize(repeat('x', 1025)) $$,
    $$ SELECT testpool.discard(NULL) $$,
    $$ SELECT testpool.discard('') $$,
    $$ SELECT testpool.discard(repeat('x', 1025)) $$,
    $$ SELECT testpool.acquire('') $$,
    $$ SELECT testpool.acquire(repeat('x', 1025)) $$,
    $$ SELECT testpool.prewarm(NULL, 1) $$,
    $$ SELECT testpool.prewarm('', 1) $$,
    $$ SELECT testpool.prewarm(repeat('x', 1025), 1) $$
]) statement;

-- so does the hash of a base; a human name has 1 to 63
SELECT testpool_test.error(statement) FROM unnest(ARRAY[
    $$ SELECT testpool.init_template('h', base => '') $$,
    $$ SELECT testpool.init_template('h', base => repeat('x', 1025)) $$,
    $$ SELECT testpool.init_template('h', name => '') $$,
    $$ SELECT testpool.init_template('h', name => repeat('n', 64)) $$
]) statement;

-- a database name has 1 to 63 bytes
SELECT testpool_test.error(statement) FROM unnest(ARRAY[
    $$ SELECT testpool.release('') $$,
    $$ SELECT testpool.release(repeat('d', 64)) $$,
    $$ SELECT testpool.recreate(NULL) $$,
    $$ SELECT testpool.recreate('') $$,
    $$ SELECT testpool.recreate(repeat('d', 64)) $$,
    $$ SELECT testpool.keep(NULL) $$,
    $$ SELECT testpool.keep('') $$,
    $$ SELECT testpool.keep(repeat('d', 64)) $$,
    $$ SELECT testpool.diff(NULL) $$,
    $$ SELECT testpool.diff('') $$,
    $$ SELECT testpool.diff(repeat('d', 64)) $$,
    $$ SELECT testpool.url(NULL) $$,
    $$ SELECT testpool.url('') $$,
    $$ SELECT testpool.url(repeat('d', 64)) $$
]) statement;

-- a timeout is not negative, a count is between 0 and testpool.pool_max
SELECT testpool_test.error(statement) FROM unnest(ARRAY[
    $$ SELECT testpool.acquire('h', '-1 ms') $$,
    $$ SELECT testpool.acquire(NULL, '1 day -25 hours') $$,
    $$ SELECT testpool.prewarm('h', NULL) $$,
    $$ SELECT testpool.prewarm('h', -1) $$,
    $$ SELECT testpool.prewarm('h', current_setting('testpool.pool_max')::int + 1) $$,
    $$ SELECT testpool.prewarm('h', 2147483647) $$
]) statement;

-- the hash may come from the setting
SET testpool.template = '                                                                ';
SELECT testpool_test.error('SELECT testpool.acquire()');
SELECT set_config('testpool.template', repeat('x', 1025), false) IS NOT NULL;
SELECT testpool_test.error('SELECT testpool.acquire()');

-- nothing came of all this
SELECT count(*) FROM testpool.templates;
SELECT count(*) FROM testpool.databases;
