INSERT INTO purchase (customer, cents) SELECT id, 4200 FROM customer WHERE name = 'customer 1';
DO $$ BEGIN ASSERT (SELECT sum(cents) FROM purchase) = 4200, 'another test was here'; END $$;
