INSERT INTO item (name) VALUES ('apple');
