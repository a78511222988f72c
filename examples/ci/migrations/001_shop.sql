CREATE TABLE customer (id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY, name text NOT NULL UNIQUE);
CREATE TABLE purchase (
    id       bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    customer bigint NOT NULL REFERENCES customer ON DELETE CASCADE,
    cents    integer NOT NULL CHECK (cents > 0),
    refunded boolean NOT NULL DEFAULT false
);
