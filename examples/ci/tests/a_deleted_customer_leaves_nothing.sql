INSERT INTO purchase (customer, cents) SELECT id, 100 FROM customer;
DELETE FROM customer;
DO $$ BEGIN ASSERT NOT EXISTS (SELECT FROM purchase), 'purchases are left'; END $$;
