-- A hash is 1 to 1,024 bytes of any text, and different hashes are different templates.
\pset format unaligned
\pset tuples_only on
CREATE TABLE testpool_test.hash (id int, hash text);
INSERT INTO testpool_test.hash VALUES
    (1, 'a'), (2, 'A'), (3, ' '), (4, ' a'), (5, 'a '),
    (6, repeat('x', 1024)), (7, repeat('x', 1023)), (8, repeat('x', 1023) || 'y'),
    (9, repeat('é', 512)), (10, 'é'), (11, E'e\u0301'),
    (12, $$it's "quoted" \and\ $dollar$; DROP TABLE x; --$$),
    (13, E'tab\tline\nreturn\r'), (14, '%s%n'), (15, 'NULL'), (16, '🙂');

-- Each is claimed and finalized once …
SELECT id, testpool.init_template(hash) IS NOT NULL AS claimed FROM testpool_test.hash ORDER BY id;
SELECT id, testpool.finalize(hash) FROM testpool_test.hash ORDER BY id;
SELECT bool_and(testpool.init_template(hash) IS NULL) AS ready FROM testpool_test.hash;

-- … into a database of its own, and is shown as it was given.
SELECT count(DISTINCT database) FROM testpool.templates;
SELECT count(*) FROM testpool.templates JOIN testpool_test.hash USING (hash) WHERE state = 'finalized';

-- Whoever acquires gets a clone of that and no other.
CREATE TABLE testpool_test.acquired AS
SELECT id, hash, testpool.acquire(hash) AS database FROM testpool_test.hash
 WHERE id IN (1, 2, 6, 8, 10, 11, 12, 13, 16);
SELECT id, d.hash = a.hash AS "its own" FROM testpool_test.acquired a
  LEFT JOIN testpool.databases d USING (database) ORDER BY id;
DROP TABLE testpool_test.acquired;

-- A hostile search_path and hostile names change nothing.
CREATE SCHEMA regress_testpool_hostile;
CREATE FUNCTION regress_testpool_hostile.lower(text) RETURNS text LANGUAGE sql AS 'SELECT 1/0; SELECT $1';
CREATE TABLE regress_testpool_hostile.pg_database (datname name);
CREATE OPERATOR regress_testpool_hostile.= (FUNCTION = textne, LEFTARG = text, RIGHTARG = text);
SET search_path = regress_testpool_hostile, pg_catalog, public;
SELECT testpool.acquire('A') AS clone \gset
SELECT testpool.release(:'clone');
SELECT testpool.init_template('hostile', name => $$"; DROP DATABASE postgres; --$$) IS NOT NULL;
SELECT testpool.discard('hostile', $$'; DROP TABLE testpool.template; --$$);
RESET search_path;
SELECT name, reason FROM testpool.templates WHERE hash = 'hostile';
SET client_min_messages = warning;
DROP SCHEMA regress_testpool_hostile CASCADE;

SELECT testpool.discard(hash) FROM testpool_test.hash WHERE id = 1;
SELECT state FROM testpool.templates WHERE hash IN ('a', 'A') ORDER BY hash COLLATE "C";
DROP TABLE testpool_test.hash;
SELECT testpool.reset();
