-- Run at the first start, before the scripts that users mount beside it.
SELECT current_setting('testpool.database') AS home \gset
SELECT format('CREATE DATABASE %I', :'home')
 WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'home') \gexec
\connect :"home"
CREATE EXTENSION testpool;

-- The scripts that follow may build templates: wait until the launcher answers. In a home database
-- that was created just now its first attempt has failed, and the next comes a second later.
DO $$
BEGIN
    FOR attempt IN 1..300 LOOP
        BEGIN
            PERFORM testpool.prewarm('none of this hash', 0);
        EXCEPTION
            WHEN undefined_object THEN RETURN;
            WHEN object_not_in_prerequisite_state THEN PERFORM pg_sleep(0.1);
        END;
    END LOOP;
    RAISE 'the launcher of testpool does not start' USING HINT = 'The lines above tell why.';
END
$$;
