INSERT INTO item (name) VALUES ('plum');
DO $$ BEGIN ASSERT (SELECT string_agg(name, ' ' ORDER BY id) = 'apple plum' FROM item), 'not its own rows'; END $$;
SET testpool.rewind = now;
