INSERT INTO item (name) VALUES ('pear');
DO $$ BEGIN ASSERT (SELECT string_agg(name, ' ' ORDER BY id) = 'apple pear' FROM item), 'not its own rows'; END $$;
SET testpool.rewind = now;
