INSERT INTO item (name) VALUES ('apple');
-- What the driver would take for a parameter, and for an escape of its own.
CREATE FUNCTION first() RETURNS text BEGIN ATOMIC SELECT '{fn ?}'; SELECT name FROM item; END;
