// What could be better, as sentences: each piece of advice is a query over the views and the
// settings of the server, run with the rights of whoever asks.

#include "pg/spi.h"

using namespace testpool;

namespace {

/// Why tests wait.
Statement<0> waiting[] = {
    {R"(
        SELECT format('%s s were waited for template %s in the last 10 minutes: raise %s from %s to %s.',
                      round(s.recently_waited_ms / 1000), n.name, k.setting, k.present, k.better)
          FROM testpool.stats s
          JOIN testpool.templates t ON t.hash = s.hash AND t.state = 'finalized',
               LATERAL (SELECT coalesce(s.template, left(s.hash, 24))) n(name),
               LATERAL (SELECT current_setting('testpool.pool_size')::integer AS size,
                               current_setting('testpool.pool_max')::integer AS most) c,
               LATERAL (SELECT CASE WHEN full_up THEN 'testpool.pool_max' ELSE 'testpool.pool_size' END,
                               CASE WHEN full_up THEN c.most ELSE c.size END,
                               CASE WHEN full_up THEN 2 * c.most
                                    ELSE greatest(c.size + 1, least(s.most_leased, c.most)) END
                          FROM (SELECT s.most_leased >= c.most) f(full_up)) k(setting, present, better)
         WHERE s.recently_waited_ms >= 1000 AND s.misses > 0)",
     {}},
    {R"(
        SELECT format('Requests for template %s that timed out: %s; release databases sooner, or wait longer with testpool.acquire_timeout (%s).',
                      coalesce(s.template, left(s.hash, 24)), s.timeouts, current_setting('testpool.acquire_timeout'))
          FROM testpool.stats s WHERE s.timeouts > 0)",
     {}},
    {R"(
        SELECT format('Abandoned leases of template %s: %s; release databases when the test is over, or lower testpool.lease_grace (%s) to have them back sooner.',
                      coalesce(s.template, left(s.hash, 24)), s.abandoned, current_setting('testpool.lease_grace'))
          FROM testpool.stats s WHERE s.abandoned > 0)",
     {}},
};

/// Work that need not be.
Statement<0> needless_work[] = {
    {R"(
        SELECT format('Used clones of template %s that were cloned again rather than rewound: %s; the last because %s.',
                      coalesce(s.template, left(s.hash, 24)), s.refusals, s.last_refusal)
          FROM testpool.stats s WHERE s.refusals > 0)",
     {}},
    {R"(
        SELECT format('Rewinds of template %s after which the files could not be watched: %s; the next looks at every file: raise fs.inotify.max_user_instances and max_user_watches, or use no more than four tablespaces.',
                      coalesce(s.template, left(s.hash, 24)), s.unwatched)
          FROM testpool.stats s WHERE s.unwatched > 0)",
     {}},
    {R"(
        SELECT 'testpool.recycle is recreate: with auto a used database is rewound, which takes as long as what the test changed, not as the template is large.'
         WHERE current_setting('testpool.recycle') = 'recreate')",
     {}},
    {R"(
        SELECT format('max_wal_size (%s) is less than the pool of template %s writes when it fills (%s): raise it to have fewer checkpoints.',
                      current_setting('max_wal_size'), coalesce(t.name, left(t.hash, 24)),
                      pg_size_pretty(t.bytes * current_setting('testpool.pool_size')::integer))
          FROM testpool.templates t
         WHERE t.state = 'finalized'
           AND t.bytes * current_setting('testpool.pool_size')::integer > pg_size_bytes(current_setting('max_wal_size')))",
     {}},
};

/// What the server lacks, or does for nothing.
Statement<0> the_server[] = {
    {R"(
        SELECT format('%s is on: turn it off in a test server, which can lose its data in a crash.', name)
          FROM pg_settings WHERE name IN ('fsync', 'full_page_writes', 'synchronous_commit') AND setting = 'on')",
     {}},
    {R"(
        SELECT format('max_connections (%s) will not carry %s leases, which need a session that holds each and one inside: raise it to %s.',
                      current_setting('max_connections'), sum(s.most_leased), needed.number)
          FROM testpool.stats s,
               LATERAL (SELECT current_setting('superuser_reserved_connections')::integer) r(reserved)
         CROSS JOIN (SELECT sum(2 * most_leased) + 10 FROM testpool.stats) needed(number)
         GROUP BY needed.number, r.reserved
        HAVING sum(2 * s.most_leased) > current_setting('max_connections')::integer - r.reserved)",
     {}},
    {R"(
        SELECT format('shared_buffers (%s) is less than what was leased at once (%s): raise it, and tests read less from files.',
                      current_setting('shared_buffers'), pg_size_pretty(sum(s.most_leased * t.bytes)))
          FROM testpool.stats s JOIN testpool.templates t ON t.hash = s.hash
        HAVING sum(s.most_leased * t.bytes) > pg_size_bytes(current_setting('shared_buffers')))",
     {}},
    {R"(
        SELECT format('The disk has %s left, and nothing is cloned that would leave less than testpool.min_free_space (%s): free some.',
                      pg_size_pretty(testpool.free_space()), current_setting('testpool.min_free_space'))
          FROM (SELECT coalesce(max(bytes), 0) FROM testpool.templates) largest(bytes)
         WHERE testpool.free_space() < 2 * (pg_size_bytes(current_setting('testpool.min_free_space')) + largest.bytes))",
     {}},
    {R"(
        SELECT format('The pools take %s of testpool.max_size (%s): raise it, or what is used least recently makes room.',
                      pg_size_pretty(sum(bytes)), current_setting('testpool.max_size'))
          FROM testpool.stats HAVING sum(bytes) > 0.9 * nullif(pg_size_bytes(current_setting('testpool.max_size')), 0))",
     {}},
    {R"(
        SELECT format('%s of %s processes of testpool run: raise max_worker_processes (%s).',
                      running.number, wanted.number, current_setting('max_worker_processes'))
          FROM (SELECT current_setting('testpool.workers')::integer + 1) wanted(number),
               (SELECT count(*) FROM pg_stat_activity
                 WHERE backend_type IN ('testpool launcher', 'testpool worker')) running(number)
         WHERE running.number < wanted.number AND NOT pg_is_in_recovery()
           AND pg_has_role('pg_read_all_stats', 'USAGE')  -- others do not see them)",
     {}},
    {R"(
        SELECT format('%s has kept a snapshot for %s transactions, and all versions of catalog rows since: acquire and connect walk them; end it.',
                      holder, age)
          FROM (SELECT format('Session %s (database %s, application "%s")', pid, datname, application_name), age(backend_xmin)
                  FROM pg_stat_activity WHERE backend_xmin IS NOT NULL
                UNION ALL
                SELECT format('Replication slot %s', slot_name), greatest(age(xmin), age(catalog_xmin)) FROM pg_replication_slots
                UNION ALL
                SELECT format('Prepared transaction %s', gid), age(transaction) FROM pg_prepared_xacts) h(holder, age)
         WHERE age > 5000)",
     {}},
};

/// What failed, and what was left behind.
Statement<0> trouble[] = {
    {R"(
        SELECT format('Template %s lacks statistics, so plans in its clones may be worse: %s.',
                      coalesce(name, left(hash, 24)), warning)
          FROM testpool.templates WHERE state = 'finalized' AND warning IS NOT NULL)",
     {}},
    {R"(
        SELECT format('Failures with template %s: %s; the last at %s: %s.',
                      coalesce(s.template, left(s.hash, 24)), s.failures, s.last_error_at::timestamptz(0), s.last_error)
          FROM testpool.stats s WHERE s.failures > 0)",
     {}},
    {R"(
        SELECT format('Template %s is not what was finalized, so each of its clones that was used is cloned again: %s. If somebody changed it, build it again.',
                      coalesce(name, left(hash, 24)), drift)
          FROM testpool.templates WHERE state = 'finalized' AND drift IS NOT NULL)",
     {}},
    {R"(
        SELECT format('Database %s has been kept for more than a day: release it when you have seen enough.', database)
          FROM testpool.databases WHERE state = 'kept' AND leased_at < now() - interval '1 day')",
     {}},
    {R"(
        SELECT format('Database %s is named like testpool''s, but testpool does not know it and will not drop it: do so if nobody needs it.', datname)
          FROM pg_database d, LATERAL (SELECT current_setting('testpool.name_prefix')) p(prefix)
         WHERE starts_with(datname, prefix) AND substr(datname, length(prefix) + 1) ~ '^(template|[0-9]+)_[0-9]+$'
           AND NOT EXISTS (SELECT FROM testpool.templates t WHERE t.database = d.datname)
           AND NOT EXISTS (SELECT FROM testpool.databases c WHERE c.database = d.datname))",
     {}},
    {R"(
        SELECT format('Database %s was not made by testpool, and whoever connects to that name gets it instead of a clone of template %s: drop or rename it.',
                      d.datname, t.name)
          FROM pg_database d, (SELECT DISTINCT name FROM testpool.templates WHERE state <> 'discarded' AND name IS NOT NULL) t
         WHERE current_setting('testpool.connect')::boolean
           AND starts_with(d.datname, t.name || current_setting('testpool.connect_separator'))
           AND NOT EXISTS (SELECT FROM testpool.databases c WHERE c.database = d.datname))",
     {}},
};

void put(std::span<Statement<0>> queries, const ReturnSetInfo& result) {
    for (Statement<0>& query : queries)
        query.each_row({}, [&](const Row& row) {
            bool null = false;
            Datum sentence = row.datum(1, &null);
            tuplestore_putvalues(result.setResult, result.setDesc, &sentence, &null);
        });
}

}  // namespace

extern "C" {

PG_FUNCTION_INFO_V1(testpool_advice);
Datum testpool_advice(PG_FUNCTION_ARGS) {
    InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
    auto& result = *reinterpret_cast<ReturnSetInfo*>(fcinfo->resultinfo);
    spi([&] {
        for (std::span<Statement<0>> queries :
             {std::span<Statement<0>>(waiting), {needless_work}, {the_server}, {trouble}})
            put(queries, result);
    });
    return Datum{0};
}
}
