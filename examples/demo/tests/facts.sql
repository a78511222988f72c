-- Everything that a clone has in common with its template, in one line: the number of tables, rows
-- in all of them, hosts and items, and a fingerprint of columns, functions and triggers.
-- Sets the variable facts_now.
\pset tuples_only on
\pset format unaligned
SELECT string_agg(format('SELECT count(*) AS rows FROM %I', relname), ' UNION ALL ') AS counts
  FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace \gset
SELECT concat_ws('|',
    (SELECT count(*) FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace),
    (SELECT sum(rows) FROM (:counts) AS every_table),
    (SELECT count(*) FROM hosts),
    (SELECT count(*) FROM items),
    md5(concat(
        (SELECT string_agg(concat_ws(' ', attrelid::regclass, attname, atttypid::regtype,
                                     attnotnull), ',' ORDER BY attrelid::regclass::text, attnum)
           FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
          WHERE relnamespace = 'public'::regnamespace),
        (SELECT string_agg(proname || prosrc, ',' ORDER BY proname)
           FROM pg_proc WHERE pronamespace = 'public'::regnamespace),
        (SELECT string_agg(tgname, ',' ORDER BY tgname) FROM pg_trigger WHERE NOT tgisinternal)))
) AS facts_now \gset
