--liquibase formatted sql
--changeset shop:1
CREATE TABLE item (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text);
--changeset shop:2
INSERT INTO item (name) VALUES ('apple');
