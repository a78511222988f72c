ALTER TABLE customer ADD COLUMN email text NOT NULL DEFAULT 'unknown';
DO $$ BEGIN ASSERT (SELECT count(*) FROM customer WHERE email = 'unknown') = 100; END $$;
