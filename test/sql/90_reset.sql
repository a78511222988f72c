-- reset() drops whatever testpool created, and nothing else; afterwards the extension can go.
\pset format unaligned
\pset tuples_only on
CREATE DATABASE regress_testpool_bystander TEMPLATE template0;
SELECT format('ALTER DATABASE regress_testpool_bystander RENAME TO %I',
              current_setting('testpool.name_prefix') || 'bystander') \gexec

SELECT testpool_test.build('finalized');
SELECT testpool_test.build('discarded');
SELECT testpool.discard('discarded');
SELECT testpool.init_template('building') IS NOT NULL;
SELECT testpool.acquire('finalized') IS NOT NULL AS leased;
SELECT testpool.keep(testpool.acquire('finalized')) IS NOT NULL AS kept;
CREATE TABLE testpool_test.made AS
SELECT oid FROM testpool.template UNION SELECT oid FROM testpool.database;

SELECT testpool.reset();
SELECT count(*) FROM testpool.templates;
SELECT count(*) FROM testpool.databases;
SELECT count(*) FROM pg_database JOIN testpool_test.made USING (oid);
SELECT testpool.reset() AS "once more is no error";
SELECT count(*) AS "a name alone means nothing" FROM pg_database
 WHERE datname = current_setting('testpool.name_prefix') || 'bystander';
SELECT format('DROP DATABASE %I', current_setting('testpool.name_prefix') || 'bystander') \gexec

-- It does its work even if the transaction rolls back, and the pool is usable at once.
SELECT testpool_test.build('once more');
BEGIN;
SELECT testpool.reset();
ROLLBACK;
SELECT count(*) FROM testpool.templates;
SELECT testpool_test.build('once more');
SELECT testpool.acquire('once more') IS NOT NULL;
SELECT testpool.reset();

-- The extension comes and goes; a roll-back keeps it.
BEGIN;
DROP EXTENSION testpool;
ROLLBACK;
SELECT testpool_test.build('after a roll-back');
SELECT testpool.reset();
BEGIN;
DROP EXTENSION testpool;
CREATE EXTENSION testpool;
COMMIT;
SELECT testpool_test.build('after a new start');
SELECT testpool.acquire() IS NOT NULL;
SELECT testpool.reset();

-- Nothing of the suite stays.
SET client_min_messages = warning;
DROP SCHEMA testpool_test CASCADE;
DROP OWNED BY regress_testpool_alice, regress_testpool_bob, regress_testpool_stranger;
DROP ROLE regress_testpool_alice, regress_testpool_bob, regress_testpool_stranger;
SELECT count(*) FROM pg_db_role_setting WHERE setdatabase NOT IN (SELECT oid FROM pg_database UNION SELECT 0);
