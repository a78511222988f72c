"""Is a database clean? What it says of itself by SQL is compared with what its template said before
it was finalized. Nothing of the extension is asked."""

STATEMENT = """
SELECT concat_ws(' ', 'relation', c.oid, n.nspname, c.relname, c.relkind, c.relpersistence,
                 pg_get_userbyid(c.relowner), c.relnatts, c.relacl, pg_relation_filenode(c.oid)) AS line
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
UNION ALL
SELECT concat_ws(' ', 'function', p.oid, p.proname) FROM pg_catalog.pg_proc p WHERE p.oid >= 16384
UNION ALL
SELECT concat_ws(' ', 'rows of', t.name, t.rows)
  FROM (VALUES ('pg_namespace', (SELECT count(*) FROM pg_catalog.pg_namespace)),
               ('pg_attribute', (SELECT count(*) FROM pg_catalog.pg_attribute)),
               ('pg_type', (SELECT count(*) FROM pg_catalog.pg_type)),
               ('pg_constraint', (SELECT count(*) FROM pg_catalog.pg_constraint)),
               ('pg_depend', (SELECT count(*) FROM pg_catalog.pg_depend)),
               ('pg_extension', (SELECT count(*) FROM pg_catalog.pg_extension)),
               ('pg_trigger', (SELECT count(*) FROM pg_catalog.pg_trigger)),
               ('pg_publication', (SELECT count(*) FROM pg_catalog.pg_publication)),
               ('pg_largeobject', (SELECT count(*) FROM pg_catalog.pg_largeobject))) t (name, rows)
UNION ALL
SELECT concat_ws(' ', 'contents of', c.relname,
                 query_to_xml(format('SELECT count(*), sum(hashtext(row(t.*)::text)) FROM %s t', c.oid::regclass),
                              false, false, ''))
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'm', 'S') AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
UNION ALL
SELECT concat_ws(' ', 'database', pg_get_userbyid(d.datdba), d.datconnlimit, d.datacl, d.dattablespace)
  FROM pg_catalog.pg_database d WHERE d.datname = current_database()
UNION ALL
SELECT concat_ws(' ', 'setting', s.setrole, s.setconfig)
  FROM pg_catalog.pg_db_role_setting s JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase
 WHERE d.datname = current_database()
UNION ALL
SELECT concat_ws(' ', 'comment', c.description)
  FROM pg_catalog.pg_shdescription c JOIN pg_catalog.pg_database d ON d.oid = c.objoid
 WHERE c.classoid = 'pg_catalog.pg_database'::regclass AND d.datname = current_database()
UNION ALL
SELECT concat_ws(' ', 'prepared', gid) FROM pg_catalog.pg_prepared_xacts WHERE database = current_database()
UNION ALL
SELECT concat_ws(' ', 'slot', slot_name) FROM pg_catalog.pg_replication_slots WHERE database = current_database()
ORDER BY line
"""


def description(connection):
    with connection.cursor() as cursor:
        cursor.execute(STATEMENT)
        return [line for (line,) in cursor.fetchall()]


def differences(found, wanted):
    """The lines that only one of them has; nothing if they are equal."""
    if found == wanted:
        return []
    return [f"+ {line}" for line in sorted(set(found) - set(wanted))] + [
        f"- {line}" for line in sorted(set(wanted) - set(found))]
