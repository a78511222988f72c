-- a host, its group and three items
\ir begin.sql

INSERT INTO hstgrp (groupid, name) VALUES (99001, 'Demo servers');
INSERT INTO hosts (hostid, host, name) VALUES (99001, :'me', 'The only demo host');
INSERT INTO hosts_groups (hostgroupid, hostid, groupid) VALUES (99001, 99001, 99001);
INSERT INTO items (itemid, hostid, name, key_)
SELECT 99000 + n, 99001, 'Load ' || n, 'system.cpu.load[' || n || ']' FROM generate_series(1, 3) n;

-- Zabbix has triggers of its own that fill this column.
SELECT pg_temp.must(name_upper = 'THE ONLY DEMO HOST', 'the trigger of Zabbix fires')
  FROM hosts WHERE hostid = 99001;
SELECT pg_temp.must(count(*) = :hosts + 1, 'the template''s hosts and mine are here') FROM hosts;
SELECT pg_temp.must(count(*) = :items + 3, 'the template''s items and mine are here') FROM items;
SELECT pg_temp.must(array_agg(host::text) = ARRAY[:'me'], 'no other test''s host is here')
  FROM hosts WHERE hostid >= 99001;
