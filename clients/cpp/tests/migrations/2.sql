INSERT INTO item (name) VALUES ('apple');
SELECT 1;
