-- The same names as in the suite "documents", other contents: in one database they would collide.
CREATE EXTENSION citext;
CREATE SCHEMA app;
CREATE TABLE app.thing (id integer PRIMARY KEY, value citext UNIQUE);
CREATE SEQUENCE app.counter START 100;
INSERT INTO app.thing VALUES (1, 'Ada'), (2, 'Grace');
SELECT id FROM app.thing WHERE value = 'ADA';
INSERT INTO app.thing VALUES (3, 'ada');
SELECT nextval('app.counter') FROM generate_series(1, 3);
SELECT extname FROM pg_extension WHERE extname <> 'plpgsql' ORDER BY extname;
