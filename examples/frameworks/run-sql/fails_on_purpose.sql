INSERT INTO item (name) VALUES ('evidence');
DO $$ BEGIN ASSERT (SELECT count(*) = 1 FROM item), 'there is evidence'; END $$;
