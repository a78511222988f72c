-- a trigger fires, the problem is resolved
\ir begin.sql

INSERT INTO hosts (hostid, host, name) VALUES (99001, :'me', 'Problem');
INSERT INTO items (itemid, hostid, name, key_) VALUES (99001, 99001, 'Ping', 'icmpping');
INSERT INTO triggers (triggerid, expression, description, priority)
VALUES (99001, '{99001}=0', 'No ping', 4);
INSERT INTO functions (functionid, itemid, triggerid, name, parameter)
VALUES (99001, 99001, 99001, 'last', '$');
BEGIN;
INSERT INTO events (eventid, objectid, clock, value, name) VALUES (1, 99001, 1700000000, 1, 'No ping');
INSERT INTO problem (eventid, objectid, clock, name) VALUES (1, 99001, 1700000000, 'No ping');
COMMIT;
BEGIN;
INSERT INTO events (eventid, objectid, clock, value, name) VALUES (2, 99001, 1700000060, 0, 'No ping');
UPDATE problem SET r_eventid = 2, r_clock = 1700000060 WHERE eventid = 1;
COMMIT;

SELECT pg_temp.must(count(*) = 1 AND sum(r_clock - clock) = 60, 'one problem, for a minute')
  FROM problem;
SELECT pg_temp.must(count(*) = 2, 'both events are mine') FROM events;
SELECT pg_temp.must(array_agg(host::text) = ARRAY[:'me'], 'no other test''s host is here')
  FROM hosts WHERE hostid >= 99001;
