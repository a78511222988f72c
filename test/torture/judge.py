"""What must be so at the end, found out without the extension: from the ledger, from PostgreSQL's
catalogs, from the files, and from the server's log."""

import collections
import os
import re
import subprocess

import ledger
import server
from server import ask, run

SYSTEM = {"postgres", "template0", "template1"}


def rows(statement, database="postgres"):
    session = server.open_session(database, "postgres")
    try:
        return run(session, statement)
    finally:
        server.close(session)


# --- the ledger -----------------------------------------------------------------------------------


def overlaps(events):
    """Databases that two held at once."""
    holdings = {}
    for event in events:
        uid = event.get("holding")
        if event["event"] == "taken":
            holdings[uid] = {"from": event["at"], "to": event["at"], "name": event["database"]}
        elif event["event"] == "entered":
            holdings[uid] |= {"oid": event["oid"], "to": event["at"]}
            if event["named"]:  # it is handed out when it is entered
                holdings[uid]["from"] = event["at"]
        elif event["event"] == "seen":
            holdings[uid]["to"] = event["at"]
        elif event["event"] == "given up":
            holdings[uid]["to"] = max(holdings[uid]["to"], event["until"])
    for key in ("oid", "name"):
        by_database = collections.defaultdict(list)
        for uid, holding in holdings.items():
            if key in holding:
                by_database[holding[key]].append((holding["from"], holding["to"], uid))
        for database, held in by_database.items():
            held.sort()
            for (_, until, one), (since, _, other) in zip(held, held[1:]):
                if since < until:
                    yield f"database {database} was held by {one} and {other} at once"


def builds(events):
    """Clones hold what one builder wrote who finalized it."""
    finalized = {event["token"] for event in events if event["event"] == "build ends" and event["how"] == "finalize"}
    for event in events:
        if event["event"] == "built by" and (len(event["builders"]) != 1 or event["builders"][0] not in finalized):
            yield f"a clone was built by {event['builders']}"


# --- rest -----------------------------------------------------------------------------------------

AT_REST = """
SELECT NOT EXISTS (SELECT FROM testpool.database WHERE state <> 'ready')
   AND NOT EXISTS (SELECT FROM testpool.template WHERE state = 'building' OR state = 'discarded' AND oid <> 0)
   AND NOT EXISTS (SELECT FROM testpool.templates WHERE state = 'finalized' AND ready < 2)
"""


def comes_to_rest(events):
    """Kept databases stay until somebody releases them; all else comes to rest by itself."""
    kept_on_purpose = {event["database"] for event in events if event["event"] == "keeps"}
    if not server.until(lambda: ask(AT_REST.replace("<> 'ready'", "NOT IN ('ready', 'kept')")), 90):
        yield "the work does not end:"
        for statement in ("SELECT d FROM testpool.database d WHERE state <> 'ready'", "SELECT t FROM testpool.template t",
                          "SELECT a.pid, backend_type, query, l FROM pg_locks l LEFT JOIN pg_stat_activity a USING (pid)",
                          "SELECT p FROM pg_prepared_xacts p", "SELECT s FROM pg_replication_slots s"):
            yield from map(str, rows(statement))
    for database, leased_as in rows("SELECT database, coalesce(known_as, database) FROM testpool.databases WHERE state = 'kept'"):
        if leased_as not in kept_on_purpose:
            yield f"{database} is kept, and nobody did that"
        ask("SELECT testpool.release(%s)", database)
    if not server.until(lambda: ask(AT_REST), 60):
        yield f"what was kept is not cleaned: {rows('TABLE testpool.database')}"


def tables_and_catalogs_agree():
    statement = """
        SELECT 'no such database', d.oid, d.name FROM testpool.database d
         WHERE NOT EXISTS (SELECT FROM pg_database p WHERE p.oid = d.oid AND p.datname = d.name AND NOT p.datistemplate)
        UNION ALL
        SELECT 'a ready clone is open', d.oid, d.name FROM testpool.database d JOIN pg_database p ON p.oid = d.oid
         WHERE p.datallowconn
        UNION ALL
        SELECT 'no such template', t.oid, t.database FROM testpool.template t
         WHERE t.state = 'finalized' AND t.hash IS NOT NULL AND NOT EXISTS
               (SELECT FROM pg_database p WHERE p.oid = t.oid AND p.datname = t.database
                   AND p.datistemplate AND NOT p.datallowconn)
        UNION ALL
        SELECT 'nobody knows it', p.oid, p.datname FROM pg_database p
         WHERE datname NOT IN ('postgres', 'template0', 'template1')
           AND oid NOT IN (SELECT oid FROM testpool.database UNION SELECT oid FROM testpool.template)
        UNION ALL
        SELECT 'prepared transaction of', 0, database FROM pg_prepared_xacts
        UNION ALL
        SELECT 'replication slot of', datoid, slot_name FROM pg_replication_slots
        UNION ALL
        SELECT 'setting of', setdatabase, '' FROM pg_db_role_setting
         WHERE setdatabase <> 0 AND setdatabase NOT IN (SELECT oid FROM pg_database)
        UNION ALL
        SELECT 'comment of', objoid, description FROM pg_shdescription
         WHERE classoid = 'pg_database'::regclass AND objoid NOT IN (SELECT oid FROM pg_database)
        UNION ALL
        SELECT 'dependency of', dbid, '' FROM pg_shdepend WHERE dbid <> 0 AND dbid NOT IN (SELECT oid FROM pg_database)
        UNION ALL
        SELECT 'dependency of', objid, '' FROM pg_shdepend
         WHERE classid = 'pg_database'::regclass AND objid NOT IN (SELECT oid FROM pg_database)
        UNION ALL
        SELECT 'lock left behind on', objid, mode FROM pg_locks WHERE locktype = 'object'
        UNION ALL
        SELECT 'session in', datid, datname FROM pg_stat_activity
         WHERE datname LIKE 'testpool%' AND backend_type <> 'autovacuum worker'"""
    for what, oid, name in rows(statement):
        yield f"{what} {oid} {name}"


def clones_equal_their_templates():
    """Some of them: it takes long."""
    pairs = rows("""SELECT t.oid::text, d.oid::text, t.database, d.name, (d.ready_at AT TIME ZONE 'UTC')::text
                      FROM testpool.database d JOIN testpool.template t ON t.id = d.template
                     ORDER BY random() LIMIT 8""")
    ask("CHECKPOINT")
    for template, clone, template_name, name, became_clean in pairs:
        found = subprocess.run(["test/tools/compare-databases", "--replayed", server.data_folder(), template, clone],
                               capture_output=True, text=True, check=False)
        if found.returncode != 0 and not server.is_frozen(name, template_name, became_clean):
            yield f"at the end, {clone} differs from its template: {found.stdout[:500]}{found.stderr[-500:]}"


def amcheck():
    found = subprocess.run(["pg_amcheck", "-U", "postgres", "--heapallindexed", "--install-missing", "postgres"], capture_output=True,
                           text=True, check=False)
    if found.returncode != 0:
        yield f"pg_amcheck of the home database: {found.stdout[:500]}{found.stderr[:500]}"


# --- files ----------------------------------------------------------------------------------------

RELATION_FILE = re.compile(r"^(\d+)(_fsm|_vm|_init)?(\.\d+)?$")


def orphan_files():
    """Folders that no database has, and files that no relation has."""
    ask("CHECKPOINT")
    base = os.path.join(server.data_folder(), "base")
    databases = dict(rows("SELECT oid::text, datname FROM pg_database"))
    for folder in sorted(set(os.listdir(base)) - {"pgsql_tmp"}):
        if folder not in databases:
            yield f"base/{folder} is of no database"
            continue
        known = {str(node) for (node,) in rows("SELECT DISTINCT pg_relation_filenode(oid) FROM pg_class",
                                               databases[folder])}
        for name in os.listdir(os.path.join(base, folder)):
            match = RELATION_FILE.match(name)
            if match and match[1] not in known:
                yield f"base/{folder}/{name} is of no relation"


def open_doors():
    """All databases are to be looked into now."""
    for (name,) in rows("SELECT datname FROM pg_database WHERE NOT datallowconn"):
        ask(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')


def nothing_is_left():
    """What the extension made goes with it."""
    before = {folder for folder in os.listdir(os.path.join(server.data_folder(), "base")) if folder != "pgsql_tmp"}
    ask("SELECT testpool.reset()")
    ask("DROP EXTENSION testpool")
    ask("CHECKPOINT")
    left = [name for (name,) in rows("SELECT datname FROM pg_database") if name not in SYSTEM]
    if left:
        yield f"left behind: {left}"
    oids = {oid for (oid,) in rows("SELECT oid::text FROM pg_database")}
    after = set(os.listdir(os.path.join(server.data_folder(), "base"))) - {"pgsql_tmp"}
    if after != oids:
        yield f"folders left behind: {after - oids} (of {len(before)})"


# --- the log --------------------------------------------------------------------------------------

# At most so much goes wrong in a program that only meets misuse: PostgreSQL's internal errors.
CORRUPTION = re.compile(r"\b(PANIC|TRAP|XX00[12]|58P01|invalid page|could not read block|unexpected data beyond EOF)\b")
HARMLESS = re.compile(r"58P01.*(replication slot|pg_stat_tmp|statistics file|backup_label|postmaster.pid)")
AUTOVACUUM = re.compile(r'CONTEXT:  automatic (?:analyze|vacuum) of table "(\w+)\.')


def was_half_rewound(entry, log):
    """Autovacuum may come into a database whose rewind was cut off, before it is cloned again."""
    database = AUTOVACUUM.search(entry)
    return database and f'database "{database[1]}" is cloned again, not rewound: ' in log


def log_is_clean(killed):
    path = os.path.join(os.environ["SERVER_FOLDER"], "log")
    with open(path, encoding="utf-8", errors="replace") as file:
        log = file.read()
    lines = log.splitlines()
    for line, next_line in zip(lines, [*lines[1:], ""]):
        harmless = HARMLESS.search(line) or was_half_rewound(f"{line}\n{next_line}", log)
        if CORRUPTION.search(line) and not harmless:
            yield f"in the log: {line}"
    by_points = set(re.findall(r"\[(\d+)\].*testpool: point [a-z-]+: kill", log))
    for line in re.findall(r".*was terminated by signal.*", log):
        pid = re.search(r"PID (\d+)", line)
        if not pid or "signal 9" not in line or pid[1] not in by_points | {str(pid) for pid in killed}:
            yield f"in the log: {line}"
    # What test/server would take for a fault was done here on purpose, and has been judged.
    with open(path, "w", encoding="utf-8") as file:
        file.write(log.replace("terminated by signal", "killed by signal"))


# --- all of it ------------------------------------------------------------------------------------


PROMISES = {
    "one holder": "no database was held by two",
    "clean": "none was dirty at hand-out",
    "kept": "none was taken from a live holder, and none lost its data",
    "built": "what was built and finalized by one is what others get",
    "errors": "no error but those of the reference",
    "time": "nothing took for ever",
    "working": "no client of the test failed",
    "rest": "everything comes to rest",
    "agree": "tables and catalogs agree, and nothing is left behind",
    "pages": "clones equal their template, page by page",
    "home": "the home database is sound",
    "files": "no file in base/ is an orphan",
    "reset": "reset and DROP EXTENSION leave nothing",
    "log": "the log tells of no PANIC, no corruption, and no death but those on purpose",
}


def judge(folder, killed):
    """What breaks each promise."""
    events = ledger.read(folder)
    found = {promise: [e["what"] for e in events if e["event"] == "wrong" and e["promise"] == promise]
             for promise in PROMISES}
    found["one holder"] += overlaps(events)
    found["built"] += builds(events)
    found["rest"] += comes_to_rest(events)
    found["agree"] += tables_and_catalogs_agree()
    found["pages"] += clones_equal_their_templates()
    found["home"] += amcheck()
    open_doors()
    found["files"] += orphan_files()
    found["reset"] += nothing_is_left()
    found["log"] += log_is_clean(killed)
    return {sentence: found[promise] for promise, sentence in PROMISES.items()}


def counts(folder):
    found = collections.Counter()
    for event in ledger.read(folder):
        if event["event"] == "count":
            found[event["what"]] += event["by"]
    return found
