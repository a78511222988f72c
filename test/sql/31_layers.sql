-- Layers: a template starts from another one, schema first, then fixtures.
SELECT current_database() AS home \gset
\pset format unaligned
\pset tuples_only on
SELECT testpool.init_template('schema', name => 'schema') AS build \gset
\c :"build"
CREATE TABLE customer (id int PRIMARY KEY, name text);
\c :"home"
SELECT testpool.finalize('schema');

SELECT testpool.init_template('fixtures', base => 'schema', name => 'fixtures') AS build \gset
\c :"build"
INSERT INTO customer VALUES (1, 'Ada'), (2, 'Grace');
\c :"home"
SELECT testpool.finalize('fixtures');

SELECT hash, base, name, state FROM testpool.templates ORDER BY hash;
SELECT testpool.acquire('fixtures') AS rich, testpool.acquire('schema') AS poor \gset
\c :"rich"
SELECT * FROM customer ORDER BY id;
\c :"poor"
SELECT * FROM customer ORDER BY id;
\c :"home"

-- A layer stands on its own: its base may go.
SELECT testpool.discard('schema', 'superseded');
SELECT testpool_test.eventually($$ (SELECT NOT exists FROM testpool.template WHERE hash = 'schema') $$) AS dropped;
SELECT testpool.acquire('fixtures') AS rich \gset
\c :"rich"
SELECT count(*) FROM customer;
\c :"home"
SELECT testpool.recreate(:'rich');
SELECT hash, base, state FROM testpool.templates ORDER BY hash;

-- But nothing new can be built on one that is gone.
SELECT testpool_test.error($$ SELECT testpool.init_template('more', base => 'schema') $$);

-- A third layer, by a role that has no right in the database of the second.
SET ROLE regress_testpool_bob;
SELECT testpool.init_template('bob', base => 'fixtures') AS build \gset
SELECT testpool.finalize('bob');
RESET ROLE;
SELECT testpool.acquire('bob') AS clone \gset
\c :"clone"
SELECT count(*) FROM customer;
\c :"home"
SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = :'clone';
SELECT testpool.reset();
