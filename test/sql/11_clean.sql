-- Clean means equal to the template, whatever the last holder did.
SELECT current_database() AS home \gset
SELECT testpool.init_template('clean') AS build \gset
\c :"build"
CREATE TABLE kept (id serial PRIMARY KEY, note text);
INSERT INTO kept (note) VALUES ('one'), ('two');
CREATE TABLE dropped AS SELECT 1 AS a;
CREATE VIEW seen AS SELECT note FROM kept;
SELECT lo_from_bytea(4711, 'as built');
COMMENT ON TABLE kept IS 'as built';
\c :"home"
SELECT testpool.finalize('clean');

SELECT testpool.acquire('clean') AS clone \gset
SELECT oid AS old_oid FROM pg_database WHERE datname = :'clone' \gset
ALTER DATABASE :"clone" SET work_mem = '1MB';
ALTER ROLE regress_testpool_bob IN DATABASE :"clone" SET work_mem = '2MB';
ALTER DATABASE :"clone" CONNECTION LIMIT 3;
GRANT CREATE ON DATABASE :"clone" TO regress_testpool_bob;
REVOKE TEMPORARY ON DATABASE :"clone" FROM PUBLIC;
COMMENT ON DATABASE :"clone" IS 'used';
ALTER DATABASE :"clone" OWNER TO regress_testpool_bob;
\c :"clone"
INSERT INTO kept (note) VALUES ('three');
UPDATE kept SET note = 'changed' WHERE id = 1;
DELETE FROM kept WHERE id = 2;
SELECT setval('kept_id_seq', 1000);
ALTER TABLE kept ADD COLUMN more int DEFAULT 1;
COMMENT ON TABLE kept IS NULL;
DROP TABLE dropped;
CREATE TABLE added AS SELECT 1 AS a;
CREATE FUNCTION added() RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE SCHEMA extra;
CREATE INDEX ON kept (note);
SELECT lo_unlink(4711), lo_from_bytea(4712, 'new');
VACUUM FULL pg_class;
DROP SCHEMA public CASCADE;
\c :"home"

-- recreate() makes this very database clean, under its name, and keeps the lease.
SELECT testpool.recreate(:'clone');
SELECT state, generation, role = current_user AS "same holder" FROM testpool.databases
 WHERE database = :'clone';
SELECT recycled IN ('rewind', 'clone') AS "says how",
       (recycled = 'clone') = (clone_reason IS NOT NULL) AS "and why", recycle_ms > 0 AS "and how long it took"
  FROM testpool.databases WHERE database = :'clone';
SELECT d.datconnlimit, d.datacl, pg_get_userbyid(d.datdba) = current_user AS "owner",
       shobj_description(d.oid, 'pg_database') AS comment,
       (SELECT count(*) FROM pg_db_role_setting s WHERE s.setdatabase = d.oid) AS settings
  FROM pg_database d WHERE datname = :'clone';
\c :"clone"
SHOW search_path;
SELECT * FROM kept ORDER BY id;
SELECT nextval('kept_id_seq');
SELECT * FROM dropped;
SELECT * FROM seen ORDER BY note;
SELECT obj_description('kept'::regclass) AS comment;
SELECT count(*) AS "indexes of kept" FROM pg_index WHERE indrelid = 'kept'::regclass;
SELECT to_regclass('added') AS added, to_regproc('added') AS "added()", to_regnamespace('extra') AS extra;
SELECT convert_from(lo_get(4711), 'UTF8') AS "large object", count(*) FROM pg_largeobject_metadata;
\c :"home"

-- A database that its holder renamed is known by its OID: it is found and recycled all the same.
SELECT oid AS renamed_oid FROM pg_database WHERE datname = :'clone' \gset
ALTER DATABASE :"clone" RENAME TO regress_testpool_renamed;
SELECT testpool.release(:'clone');
SELECT testpool_test.eventually($$ NOT EXISTS (SELECT FROM pg_database
                                   WHERE datname = 'regress_testpool_renamed') $$) AS "the renamed one is gone";

-- Nothing of what was done to the databases is left in the shared catalogs.
SELECT count(*) FROM pg_db_role_setting
 WHERE setdatabase IN (:old_oid, :renamed_oid) OR setdatabase NOT IN (SELECT oid FROM pg_database UNION SELECT 0);
SELECT count(*) FROM pg_shdepend WHERE dbid IN (:old_oid, :renamed_oid)
    AND dbid NOT IN (SELECT oid FROM pg_database);

-- A holder that drops its database hurts nobody else.
SELECT testpool.acquire('clean') AS clone \gset
DROP DATABASE :"clone";
SELECT testpool.release(:'clone') AS "a lease ends even if its database is gone";
SELECT testpool_test.eventually(format('testpool_test.state_of(%L) IS NULL', :'clone')) AS forgotten;
SELECT testpool.acquire('clean') IS NOT NULL AS "and the pool goes on";
SELECT testpool.reset();
