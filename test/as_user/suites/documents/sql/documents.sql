-- The same names as in the suite "people", other contents: in one database they would collide.
CREATE EXTENSION hstore;
CREATE SCHEMA app;
CREATE TABLE app.thing (id integer PRIMARY KEY, value hstore NOT NULL);
CREATE SEQUENCE app.counter;
INSERT INTO app.thing VALUES (1, 'kind => letter, pages => 2'), (2, 'kind => book');
SELECT id, value -> 'kind' AS kind, value ? 'pages' AS has_pages FROM app.thing ORDER BY id;
SELECT nextval('app.counter') FROM generate_series(1, 3);
SELECT extname FROM pg_extension WHERE extname <> 'plpgsql' ORDER BY extname;
CREATE TABLE app.thing (id integer);
