# A test can change what the shared catalogs say of its database, and leave things that live outside
# its files. Each such hazard of a rewind, by the way that is taken; everything ends as in a clone
# that nobody has used.
use v5.20;
use experimental 'signatures';
use warnings FATAL => 'all';

use RewindTest;
use Test::More;

my $t = RewindTest->begin('shared', before => <<'SQL', conf => "wal_level = logical\n");
CREATE ROLE somebody;
CREATE ROLE somebody_else;
SQL
my $node = $t->node;

# --- the database's own row -------------------------------------------------------------------

$t->is_put_back('its settings', 'rewind', q{ALTER DATABASE %s SET work_mem = '1MB'},
    q{ALTER DATABASE %s SET search_path = nowhere});
$t->is_put_back('its settings for one role', 'rewind',
    q{ALTER ROLE somebody IN DATABASE %s SET work_mem = '2MB'});
$t->is_put_back('its owner', 'rewind', 'ALTER DATABASE %s OWNER TO somebody');
$t->is_put_back('its connection limit', 'rewind', 'ALTER DATABASE %s CONNECTION LIMIT 7');
$t->is_put_back('its comment', 'rewind', q{COMMENT ON DATABASE %s IS 'mine'});
$t->is_put_back('its security label', 'rewind', <<'SQL');
SET allow_system_table_mods = on;
INSERT INTO pg_shseclabel SELECT oid, 'pg_database'::regclass, 'dummy', 'secret' FROM pg_database
 WHERE datname = current_database();
SQL
$t->is_put_back('its access privileges', 'rewind',
    'GRANT ALL ON DATABASE %s TO somebody', 'REVOKE TEMPORARY ON DATABASE %s FROM PUBLIC');
$t->is_put_back('that it is a template', 'rewind', 'ALTER DATABASE %s IS_TEMPLATE true');
$t->is_put_back('that it refuses connections', 'rewind', sub ($database) {
    $node->query("ALTER DATABASE $database ALLOW_CONNECTIONS false");
});
$t->is_put_back('everything at once', 'rewind', 'DROP TABLE big CASCADE',
    q{ALTER DATABASE %s SET work_mem = '1MB'; COMMENT ON DATABASE %s IS 'mine'},
    'ALTER DATABASE %s OWNER TO somebody; ALTER DATABASE %s CONNECTION LIMIT 7');

# --- what the template says, said differently -------------------------------------------------

my $longer = 'longer than what the template has: ' . 'x' x 60;
$t->build('says much', <<'SQL');
DO $$ BEGIN
EXECUTE format('ALTER DATABASE %I SET work_mem = ''1MB''', current_database());
EXECUTE format('ALTER ROLE somebody IN DATABASE %I SET application_name = ''a''', current_database());
EXECUTE format('COMMENT ON DATABASE %I IS ''of the template''', current_database());
EXECUTE format('GRANT CREATE ON DATABASE %I TO somebody', current_database());
END $$;
SET allow_system_table_mods = on;
INSERT INTO pg_shseclabel SELECT oid, 'pg_database'::regclass, 'dummy', 'public' FROM pg_database
 WHERE datname = current_database();
SQL
$t->is_put_back('another setting', 'rewind', "ALTER DATABASE %s SET work_mem = '100MB'",
    "ALTER DATABASE %s SET application_name = '$longer'");
$t->is_put_back('another setting for one role', 'rewind',
    "ALTER ROLE somebody IN DATABASE %s SET application_name = '$longer'");
$t->is_put_back('another comment', 'rewind', "COMMENT ON DATABASE %s IS '$longer'");
$t->is_put_back('another security label', 'rewind', <<"SQL");
SET allow_system_table_mods = on;
UPDATE pg_shseclabel SET label = '$longer' WHERE provider = 'dummy' AND objoid =
    (SELECT oid FROM pg_database WHERE datname = current_database());
SQL
$t->is_put_back('other access privileges', 'rewind', 'REVOKE ALL ON DATABASE %s FROM somebody',
    'GRANT ALL ON DATABASE %s TO somebody_else WITH GRANT OPTION');
$t->is_put_back('nothing of what it says', 'rewind', 'ALTER DATABASE %s RESET ALL',
    'ALTER ROLE somebody IN DATABASE %s RESET ALL', 'COMMENT ON DATABASE %s IS NULL');
$t->build('app, again');

# --- roles that objects depend on -------------------------------------------------------------

$t->is_put_back('owners and privileges of its objects', 'rewind', 'ALTER TABLE big OWNER TO somebody',
    'GRANT ALL ON part TO somebody_else', 'GRANT CREATE ON SCHEMA public TO somebody',
    'ALTER DEFAULT PRIVILEGES FOR ROLE somebody GRANT SELECT ON TABLES TO somebody_else');
$t->is_put_back('policies', 'rewind', 'CREATE POLICY p ON big TO somebody USING (true)');
$node->query('DROP ROLE somebody_else; CREATE ROLE somebody_else');
pass('a role can be dropped as soon as no used database depends on it');

# --- event triggers ---------------------------------------------------------------------------

$t->is_put_back('an event trigger', 'rewind', <<'SQL');
CREATE FUNCTION e() RETURNS event_trigger LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'no'; END$$;
CREATE EVENT TRIGGER e ON ddl_command_start EXECUTE FUNCTION e();
SQL
SKIP: {
    skip 'login event triggers came with PostgreSQL 17', 2 if $node->pg_version < 17;
    $t->is_put_back('a login event trigger', 'rewind', <<'SQL');
CREATE FUNCTION e() RETURNS event_trigger LANGUAGE plpgsql AS $$BEGIN END$$;
CREATE EVENT TRIGGER e ON login EXECUTE FUNCTION e();
SQL
}

# --- what lives on ----------------------------------------------------------------------------

$t->is_put_back('a prepared transaction', 'rewind',
    q{BEGIN; DELETE FROM big; PREPARE TRANSACTION 'left behind'});
$t->is_put_back('a logical replication slot', 'rewind',
    q{SELECT pg_create_logical_replication_slot('left_behind', 'pgoutput')});
$t->is_put_back('a subscription', 'rewind', <<'SQL');
CREATE SUBSCRIPTION left_behind CONNECTION 'dbname=nowhere' PUBLICATION p
  WITH (connect = false, slot_name = NONE, create_slot = false);
SQL
$t->is_put_back('a publication', 'rewind', 'CREATE PUBLICATION p FOR ALL TABLES');
$t->is_put_back('advisory locks of a session that is inside', 'rewind', sub ($database) {
    my $session = $node->session(database => $database);
    $session->query('SELECT pg_advisory_lock(1); BEGIN; LOCK TABLE big; DELETE FROM big');
});
$t->is_put_back('a sequence', 'rewind', q{SELECT nextval('numbers') FROM generate_series(1, 100)},
    'ALTER SEQUENCE numbers INCREMENT 7 CACHE 50');

# --- horizons ---------------------------------------------------------------------------------

$t->is_put_back('the horizons after VACUUM FREEZE', 'rewind',
    'SELECT txid_current() FROM generate_series(1, 3)', 'VACUUM (FREEZE)');
my $database = $t->acquire;
$t->use_database($database, q{UPDATE big SET t = 'new' WHERE id < 10}, 'VACUUM (FREEZE)');
$node->query("SELECT testpool.recreate('$database')");
is($node->query(<<SQL, database => $database), 't', 'no page is older than datfrozenxid says');
SELECT min(age(relfrozenxid)) >= 0
   AND max(age(relfrozenxid)) <= (SELECT age(datfrozenxid) FROM pg_database WHERE datname = current_database())
   AND max(mxid_age(relminmxid)) <= (SELECT mxid_age(datminmxid) FROM pg_database WHERE datname = current_database())
  FROM pg_class WHERE relfrozenxid <> 0
SQL
$t->give_back($database);

# --- statistics -------------------------------------------------------------------------------

# Statistics of relations that are gone would stay in shared memory for ever.
sub statistics ($database)
{
    my $oid = $node->oid_of($database);
    return $node->query("SELECT pg_stat_force_next_flush(); SELECT tup_inserted FROM pg_stat_database WHERE datid = $oid")
      =~ s/^\n//r;
}
$database = $t->acquire;
$t->use_database($database,
    map { "CREATE TABLE t$_ AS SELECT g FROM generate_series(1, 100) g; SELECT count(*) FROM t$_" } 1 .. 20);
$node->becomes_true(
    "SELECT tup_inserted > 1000 FROM pg_stat_database WHERE datname = '$database'",
    'a test leaves statistics');
$node->query("SELECT testpool.recreate('$database')");
cmp_ok(statistics($database), '<', 1000, 'they do not pile up');
is($node->query('SELECT count(*) FROM pg_stat_all_tables WHERE relid >= 16384 AND n_tup_ins > 0',
    database => $database), 0, 'nothing is known of any table');
$t->give_back($database);

$t->is_put_back('the version of its collation', 'rewind', <<'SQL');
SET allow_system_table_mods = on;
UPDATE pg_database SET datcollversion = 'of long ago' WHERE datname = current_database();
SQL

$t->finish;
