-- a migration drops tables and rewrites one
\ir begin.sql

-- What no transaction-per-test can take: committed DDL, tables emptied, a setting of the database.
DROP TABLE images, history_log CASCADE;
ALTER TABLE hosts ADD COLUMN rack text NOT NULL DEFAULT 'A1';
ALTER TABLE items ALTER COLUMN units TYPE text;
TRUNCATE items CASCADE;
SELECT format('ALTER DATABASE %I SET timezone = %L', current_database(), 'Asia/Tokyo') \gexec
INSERT INTO hosts (hostid, host, name) VALUES (99001, :'me', 'Migration');

SELECT pg_temp.must(to_regclass('images') IS NULL, 'the table is gone');
SELECT pg_temp.must(count(*) = :hosts + 1, 'every host has a rack') FROM hosts WHERE rack = 'A1';
SELECT pg_temp.must(count(*) = 0, 'the items are gone') FROM items;
SELECT pg_temp.must(array_agg(host::text) = ARRAY[:'me'], 'no other test''s host is here')
  FROM hosts WHERE hostid >= 99001;
