INSERT INTO customer (name) SELECT 'customer ' || n FROM generate_series(1, 100) n;
