-- The suite makes and drops every testpool database of the server: run it on a server for tests.
-- It begins as a user does, and leaves nothing but the extension.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS testpool;
SELECT testpool.reset();
SELECT testpool.version() = extversion AS "library and script have one version"
  FROM pg_extension WHERE extname = 'testpool';

-- Helpers for the files that follow.
DROP SCHEMA IF EXISTS testpool_test CASCADE;
CREATE SCHEMA testpool_test;

-- What differs from run to run: names, process ids, times.
CREATE FUNCTION testpool_test.masked(message text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    prefix text := regexp_replace(current_setting('testpool.name_prefix'), '(\W)', '\\\1', 'g');
BEGIN
    message := regexp_replace(message, prefix || 'template_\d+', 'TEMPLATE', 'g');
    message := regexp_replace(message, prefix || '\d+_\d+', 'CLONE', 'g');
    message := replace(message, format('role "%s"', session_user), 'role "SUPERUSER"');
    message := replace(message, format('"%s"', current_database()), '"HOME"');
    message := regexp_replace(message, '([Pp])rocess \d+', '\1rocess PID', 'g');
    message := regexp_replace(message, 'Waited \d+ ms', 'Waited N ms', 'g');
    message := regexp_replace(message, 'pool_max \(\d+\)', 'pool_max (N)', 'g');
    RETURN regexp_replace(message, 'since \d{4}-\d\d-\d\d [\d:.]*\d[-+:\d]*', 'since TIME', 'g');
END $$;

-- The error that a statement ends with; everything that it did is undone.
CREATE FUNCTION testpool_test.error(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    message text;
    detail text;
    hint text;
BEGIN
    EXECUTE statement;
    RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL,
                            hint = PG_EXCEPTION_HINT;
    RETURN testpool_test.masked(concat_ws(E'\n', SQLSTATE || ': ' || message,
                                          'DETAIL: ' || nullif(detail, ''),
                                          'HINT: ' || nullif(hint, '')));
END $$;

-- Waits until a condition holds; false if it does not within a minute.
CREATE FUNCTION testpool_test.eventually(condition text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    deadline timestamptz := clock_timestamp() + interval '1 minute';
    holds boolean;
BEGIN
    LOOP
        PERFORM pg_stat_clear_snapshot();
        EXECUTE 'SELECT ' || condition INTO holds;
        IF holds OR clock_timestamp() > deadline THEN RETURN holds; END IF;
        PERFORM pg_sleep(0.01);
    END LOOP;
END $$;

-- A finalized template without anything of its own in it.
CREATE FUNCTION testpool_test.build(hash text, base text DEFAULT NULL, name text DEFAULT NULL)
    RETURNS void LANGUAGE sql AS $$
    SELECT testpool.init_template($1, $2, $3);
    SELECT testpool.finalize($1);
$$;

CREATE FUNCTION testpool_test.state_of(database text) RETURNS text LANGUAGE sql AS
    'SELECT state FROM testpool.databases d WHERE d.database = $1';

-- Two plain roles with the right to use testpool, and one without.
CREATE ROLE regress_testpool_alice;
CREATE ROLE regress_testpool_bob;
CREATE ROLE regress_testpool_stranger;
GRANT USAGE ON SCHEMA testpool, testpool_test TO regress_testpool_alice, regress_testpool_bob;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA testpool TO regress_testpool_alice, regress_testpool_bob;
GRANT USAGE ON SCHEMA testpool_test TO regress_testpool_stranger;
