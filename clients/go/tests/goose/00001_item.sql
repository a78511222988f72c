-- +goose Up
CREATE TABLE item (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text);
INSERT INTO item (name) VALUES ('apple');
-- +goose Down
DROP TABLE item;
