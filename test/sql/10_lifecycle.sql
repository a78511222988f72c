-- The whole job: build a template once, then acquire and release clones of it.
SELECT current_database() AS home \gset

SELECT testpool.init_template('shop-1', name => 'shop') AS build \gset
SELECT :'build' LIKE current_setting('testpool.name_prefix') || '%' AS "the name has the prefix";
SELECT hash, name, state, database = :'build' AS "in the database that was named"
  FROM testpool.templates;

-- The builder fills it …
\c :"build"
CREATE TABLE item (id int PRIMARY KEY, name text, stock int);
INSERT INTO item SELECT n, 'item ' || n, 10 FROM generate_series(1, 100) n;
\c :"home"

-- … and seals it.
SELECT testpool.finalize('shop-1');
SELECT testpool.init_template('shop-1') IS NULL AS "ready: nothing to build";
SELECT testpool.finalize('shop-1') AS "once more is no error";
SELECT state, bytes > 1000000 AS "has a size", finalized_at >= claimed_at AS "in order",
       discarded_at, reason
  FROM testpool.templates;
SELECT datallowconn, datistemplate FROM pg_database WHERE datname = :'build';

-- A clone is an ordinary database with what the template has in it.
SELECT testpool.acquire('shop-1') AS clone \gset
SELECT state, hash, template, role = current_user AS "held by this role",
       pid = pg_backend_pid() AS "and this session", generation
  FROM testpool.databases WHERE database = :'clone';
SELECT datallowconn, datistemplate FROM pg_database WHERE datname = :'clone';
\c :"clone"
SELECT count(*), sum(stock) FROM item;
SELECT relallvisible = relpages AS vacuumed, reltuples AS analyzed
  FROM pg_class WHERE relname = 'item';
UPDATE item SET stock = 0;
CREATE TABLE mine ();
\c :"home"

-- Another one is another database, and has nothing of it.
SELECT testpool.acquire('shop-1') AS other \gset
SELECT :'other' <> :'clone' AS "two databases";
\c :"other"
SELECT count(*), sum(stock) FROM item;
\c :"home"

-- The first still has what was done in it, until it is released.
\c :"clone"
SELECT sum(stock) FROM item;
\c :"home"
SELECT testpool.release(:'clone');
SELECT testpool.release(:'other');
SELECT testpool_test.eventually(format('testpool_test.state_of(%L) IS NULL OR testpool_test.state_of(%1$L) = ''ready''', :'clone'))
       AS "recycled in the background";

-- Without a name release() ends every lease of the session, and only of this one.
SELECT testpool.acquire('shop-1') AS earlier \gset
\c
SELECT count(testpool.acquire('shop-1')) FROM generate_series(1, 3);
SELECT count(*) FROM testpool.databases WHERE state = 'leased' AND pid = pg_backend_pid();
SELECT testpool.release();
SELECT testpool_test.eventually($$ NOT EXISTS (SELECT FROM testpool.databases
                                   WHERE state = 'leased' AND pid = pg_backend_pid()) $$);
SELECT testpool_test.state_of(:'earlier');
SELECT testpool.release() AS "nothing left to release is no error";
SELECT testpool.release(:'earlier');

-- The pool fills up again by itself.
SELECT testpool_test.eventually($$ (SELECT ready >= current_setting('testpool.pool_size')::int
                                     FROM testpool.templates) $$) AS "pool is full";
SELECT testpool.reset();
