-- prewarm() waits until so many clones are ready, and says how many there are.
\pset format unaligned
\pset tuples_only on
SELECT testpool_test.build('warm');
SELECT testpool.prewarm('warm', 0) >= 0;
SELECT testpool.prewarm('warm', 1) >= 1;
SELECT least(current_setting('testpool.pool_max')::int,
             current_setting('testpool.pool_size')::int + 3) AS more \gset
SELECT testpool.prewarm('warm', :more) >= :more AS "more than the pool keeps by itself";
SELECT ready >= :more FROM testpool.templates WHERE hash = 'warm';

-- They are ready: no acquire waits for one of them. (The hash depends on n, so that each row acquires.)
SELECT count(DISTINCT database) = :more
  FROM generate_series(1, :more) n, LATERAL testpool.acquire(left('warm', 4 + 0 * n), '0 s') database;
SELECT testpool.release();

-- While the template is still being built, it waits.
SELECT testpool.init_template('cold') IS NOT NULL;
SET testpool.acquire_timeout = '20 ms';
SET application_name = 'prewarm';
SELECT testpool_test.error($$ SELECT testpool.prewarm('cold', 1) $$);
RESET testpool.acquire_timeout;
SELECT testpool.reset();
