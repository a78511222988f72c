-- keep() takes a database out of the pool for a person to look at; url() says how to get there.
SELECT current_database() AS home \gset
\pset format unaligned
\pset tuples_only on

-- The address differs from server to server; its form does not.
CREATE FUNCTION testpool_test.masked_url(url text) RETURNS text LANGUAGE sql AS $$
    SELECT regexp_replace(
           regexp_replace(
           regexp_replace(testpool_test.masked(url),
               '^postgresql://[^@/]+@/([^?]+)\?host=[^&]+&port=\d+$', 'postgresql://ROLE@SERVER/\1'),
               '^postgresql://[^@/]+@(\[[0-9a-f:]+\]|[\d.]+):\d+/', 'postgresql://ROLE@SERVER/'),
               '^postgresql://[^@/]+@/([^?]+)\?port=\d+$', 'postgresql://ROLE@SERVER/\1')
$$;

SELECT testpool_test.masked_url(testpool.url('template1'));
SELECT testpool.url('template1') ~ ('[:=]' || current_setting('port') || '\M') AS "the server's port";
SELECT testpool.url('template1') ~ ('^postgresql://' || session_user || '@') AS "the caller's role"
 WHERE session_user ~ '^[a-z0-9_]+$' UNION ALL SELECT true WHERE session_user !~ '^[a-z0-9_]+$';

-- It works: psql gets there with nothing else.
SELECT testpool_test.build('looked at');
SELECT testpool.acquire('looked at') AS clone \gset
SELECT testpool.url(:'clone') AS url \gset
\c :url
SELECT current_database() = :'clone' AS "there";
\c :"home"
SELECT testpool.release(:'clone');

-- Characters that mean something in a URI are escaped; every database of the server has one.
CREATE DATABASE "regress ä/?#%&@:" TEMPLATE template0;
SELECT testpool_test.masked_url(testpool.url('regress ä/?#%&@:'));
SELECT testpool.url('regress ä/?#%&@:') AS url \gset
\c :url
SELECT current_database();
\c :"home"
DROP DATABASE "regress ä/?#%&@:";
CREATE ROLE "regress testpool@role" LOGIN SUPERUSER;
SET SESSION AUTHORIZATION "regress testpool@role";
SELECT substring(testpool.url('template1') FROM '//([^@]*)@');
RESET SESSION AUTHORIZATION;
DROP ROLE "regress testpool@role";

-- keep() returns the same, and the database stays, whatever becomes of the session.
SELECT testpool.acquire('looked at') AS clone \gset
\c :"clone"
CREATE TABLE evidence AS SELECT 42 AS answer;
\c :"home"
SELECT testpool.keep(:'clone', 'test_cart failed') = testpool.url(:'clone') AS "the same";
SELECT state, reason FROM testpool.databases WHERE database = :'clone';
\c
SELECT testpool.release() AS "every lease of this session, which has none";
SELECT state, reason FROM testpool.databases WHERE database = :'clone';
\c :"clone"
SELECT * FROM evidence;
\c :"home"

-- Another reason, no reason, and the end.
SELECT testpool.keep(:'clone', 'and test_pay') IS NOT NULL;
SELECT state, reason FROM testpool.databases WHERE database = :'clone';
SELECT testpool.keep(:'clone') IS NOT NULL;
SELECT state, reason FROM testpool.databases WHERE database = :'clone';
SELECT testpool.release(:'clone');
SELECT testpool_test.eventually(format('coalesce(testpool_test.state_of(%L), ''gone'') <> ''kept''', :'clone'));

-- keep_failed() keeps some of a run, tells what the tests did, and leaves the others as they are.
SELECT testpool.acquire('looked at') AS first, testpool.acquire('looked at') AS second, testpool.acquire('looked at') AS third \gset
\c :"first"
CREATE TABLE evidence AS SELECT 42 AS answer;
\c :"home"
SELECT (keep_failed).url = testpool.url(:'first') AS "the same", substring((keep_failed).changes FROM '.*evidence: 1') AS changes
  FROM testpool.keep_failed(:'first', 'test_cart', 'run 1', 1);
SELECT url, changes FROM testpool.keep_failed(:'second', 'test_pay', 'run 1', 1);
SELECT testpool_test.state_of(:'second');
SELECT url IS NOT NULL, changes FROM testpool.keep_failed(:'third', 'test_pay', 'run 2', 1);
SELECT state, reason FROM testpool.databases WHERE state = 'kept' ORDER BY reason;
SELECT testpool.release(database) FROM testpool.databases WHERE state IN ('kept', 'leased');
SELECT testpool_test.eventually('NOT EXISTS (SELECT FROM testpool.databases WHERE state IN (''kept'', ''leased''))');

-- A template that is discarded leaves a kept clone alone.
SELECT testpool.acquire('looked at') AS clone \gset
SELECT testpool.keep(:'clone') IS NOT NULL;
SELECT testpool.discard('looked at');
SELECT testpool_test.state_of(:'clone');
SELECT testpool.release(:'clone');
SELECT testpool_test.eventually('NOT EXISTS (SELECT FROM testpool.databases)');
DROP FUNCTION testpool_test.masked_url;
SELECT testpool.reset();
