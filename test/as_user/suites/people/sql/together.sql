-- Both suites must be running at this moment: roles are shared by all databases of a server, so each
-- makes one and waits for the other's.
CREATE ROLE as_user_people;
DO $$
BEGIN
    WHILE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'as_user_documents') LOOP
        IF clock_timestamp() > now() + interval '60 s' THEN
            RAISE EXCEPTION 'the suite "documents" does not run at the same time';
        END IF;
        PERFORM pg_sleep(0.01);
    END LOOP;
END $$;
