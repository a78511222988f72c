-- Every setting has a unit where there is one, bounds, a default and a description.
\x on
SELECT name, vartype, unit, context,
       CASE name WHEN 'testpool.pool_size' THEN 'CPU count' ELSE boot_val END AS boot_val,
       min_val, max_val, enumvals, short_desc, extra_desc
  FROM pg_settings WHERE name LIKE 'testpool.%' ORDER BY name COLLATE "C";
\x off
SELECT boot_val::int BETWEEN 1 AND 1000 AS "a pool is as large as the machine has processors"
  FROM pg_settings WHERE name = 'testpool.pool_size';

-- What a session may set, with units and bounds.
SET testpool.acquire_timeout = '90 s';
SHOW testpool.acquire_timeout;
SET testpool.template_timeout = '2min';
SHOW testpool.template_timeout;
SELECT statement, left(testpool_test.error(statement), 5) FROM unnest(ARRAY[
    $$ SET testpool.acquire_timeout = 0 $$,
    $$ SET testpool.acquire_timeout = '25 h' $$,
    $$ SET testpool.template_timeout = -1 $$,
    $$ SET testpool.template_timeout = 'soon' $$
]) statement;

-- What it may not.
SET testpool.pool_size = 3;
SET testpool.pool_max = 3;
SET testpool.lease_grace = '1 s';
SET testpool.name_prefix = 'mine_';
SET testpool.root_template = 'template0';
SET testpool.vacuum_templates = off;
SET testpool.connect = off;
SET testpool.connect_separator = '!';
SET testpool.private = on;
SET testpool.workers = 3;
SET testpool.max_databases = 10;
SET testpool.database = 'elsewhere';

-- What is no setting at all: a spelling mistake is an error.
SELECT left(testpool_test.error('SET testpool.pool_sise = 3'), 5);
