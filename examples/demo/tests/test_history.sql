-- a day of history becomes hourly trends
\ir begin.sql

INSERT INTO hosts (hostid, host, name) VALUES (99001, :'me', 'History');
INSERT INTO items (itemid, hostid, name, key_) VALUES (99001, 99001, 'Load', 'system.cpu.load');
INSERT INTO history (itemid, clock, value)
SELECT 99001, 1700006400 + 60 * minute, minute % 60 FROM generate_series(0, 1439) minute;
INSERT INTO trends (itemid, clock, num, value_min, value_avg, value_max)
SELECT itemid, clock / 3600 * 3600, count(*), min(value), avg(value), max(value)
  FROM history GROUP BY 1, 2;

SELECT pg_temp.must(count(*) = 1440, 'the history is mine alone') FROM history;
SELECT pg_temp.must(count(*) = 24 AND min(num) = 60 AND sum(value_max) = 24 * 59, 'the hours add up')
  FROM trends;
SELECT pg_temp.must(array_agg(host::text) = ARRAY[:'me'], 'no other test''s host is here')
  FROM hosts WHERE hostid >= 99001;
