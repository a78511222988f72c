"""A template with something of everything, and what users at their worst do to a clone of it."""

SCHEMA = """
CREATE EXTENSION amcheck;
CREATE TABLE big (id serial PRIMARY KEY, t text, n numeric, d date);
INSERT INTO big (t, n, d) SELECT repeat('x', 50) || i, i * 1.5, date '2020-01-01' + i % 1000
  FROM generate_series(1, 4000) i;
CREATE INDEX ON big (t);
CREATE INDEX ON big USING brin (d);
CREATE TABLE small (id int PRIMARY KEY, big_id int REFERENCES big, a int[], j jsonb);
INSERT INTO small SELECT i, i, ARRAY[i, i + 1], jsonb_build_object('i', i) FROM generate_series(1, 300) i;
CREATE INDEX ON small USING gin (j);
CREATE INDEX ON small USING hash (big_id);
CREATE TABLE bare (a int);
INSERT INTO bare SELECT generate_series(1, 1000);
CREATE TABLE empty (id int PRIMARY KEY, t text);
CREATE TABLE part (a int, b text) PARTITION BY RANGE (a);
CREATE TABLE part1 PARTITION OF part FOR VALUES FROM (0) TO (100);
CREATE TABLE part2 PARTITION OF part DEFAULT;
INSERT INTO part SELECT i % 200, 'p' FROM generate_series(1, 2000) i;
CREATE MATERIALIZED VIEW report AS SELECT d, count(*) FROM big GROUP BY d;
CREATE TABLE wide (id int PRIMARY KEY, d text);
ALTER TABLE wide ALTER d SET STORAGE external;
INSERT INTO wide SELECT i, repeat(md5(i::text), 300) FROM generate_series(1, 20) i;
SELECT lo_from_bytea(7000, 'a large object');
GRANT ALL ON ALL TABLES IN SCHEMA public TO PUBLIC;
GRANT ALL ON SCHEMA public TO PUBLIC;
"""

# {n}: a small random number; {k}: a larger one; {db}: the database. Each is a session of its own.
MISUSES = """
SELECT count(*) FROM big JOIN small ON big.id = big_id
INSERT INTO big (t) SELECT 'new' || g FROM generate_series(1, {k}) g
UPDATE big SET t = t || {n} WHERE id % {n} = 0
DELETE FROM big WHERE id % {n} = 1 AND id > 300
BEGIN; UPDATE big SET n = n + 1; ROLLBACK
TRUNCATE bare, empty, wide
TRUNCATE big CASCADE
BEGIN; TRUNCATE bare; INSERT INTO bare SELECT generate_series(1, {k}); COMMIT
INSERT INTO empty SELECT g, 'x' FROM generate_series(1, {k}) g; VACUUM empty
DELETE FROM part; VACUUM part
VACUUM
VACUUM (FULL, ANALYZE) big
VACUUM FULL
VACUUM FULL pg_class
VACUUM (FREEZE) small
REINDEX SYSTEM {db}
REINDEX TABLE big
REINDEX TABLE pg_attribute
CLUSTER big USING big_pkey
CREATE TABLE new{n} AS SELECT g FROM generate_series(1, {k}) g; CREATE INDEX ON new{n} (g)
CREATE UNLOGGED TABLE fast{n} AS SELECT g FROM generate_series(1, {k}) g
CREATE TEMPORARY TABLE mine AS SELECT g FROM generate_series(1, {k}) g; SELECT pg_sleep(0.05)
ALTER TABLE big SET UNLOGGED
ALTER TABLE big ADD COLUMN more int DEFAULT {n}, ALTER COLUMN t TYPE varchar
ALTER TABLE part DETACH PARTITION part1
DROP TABLE small
DROP TABLE part, wide
DROP SCHEMA public CASCADE
REFRESH MATERIALIZED VIEW report
SELECT lo_unlink(7000); SELECT lo_from_bytea(0, repeat('z', {k})::bytea)
SELECT setval('big_id_seq', {k})
CREATE FUNCTION f{n}() RETURNS int LANGUAGE sql AS 'SELECT {n}'
ALTER DATABASE {db} SET work_mem = '{n}MB'; COMMENT ON DATABASE {db} IS 'mine'
GRANT ALL ON DATABASE {db} TO stress_other; ALTER TABLE big OWNER TO stress_other
ALTER DATABASE {db} OWNER TO stress_other; ALTER DATABASE {db} CONNECTION LIMIT 9
CREATE EXTENSION hstore; CREATE TABLE h{n} AS SELECT hstore('a', 'b') AS h
BEGIN; DELETE FROM small; PREPARE TRANSACTION 'p{n}-{db}'
CREATE PUBLICATION p{n} FOR ALL TABLES
SELECT pg_create_logical_replication_slot('slot_{n}_{k}', 'pgoutput')
CHECKPOINT
ANALYZE
""".strip().splitlines()
