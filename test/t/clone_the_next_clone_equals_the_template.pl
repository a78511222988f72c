# Clean means equal to the template at finalize, whatever the last holder did to the database, left
# in it or left open. After each misdeed the database is released, nothing of it may be left behind,
# and the next clones are compared with the template by pg_dump.
use v5.20;
use warnings FATAL => 'all';

use PostgreSQL::Test::Utils;
use Test::More;
use TestpoolCluster;

my $node = TestpoolCluster->begin(
    'clean',
    init => { allows_streaming => 'logical' },
    conf => <<CONF);
max_connections = 60
max_prepared_transactions = 10
testpool.workers = 3
CONF

# Something of everything that a holder might change.
my $content = <<'SQL';
CREATE SCHEMA app;
CREATE TABLE app.parent (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, v text NOT NULL);
INSERT INTO app.parent (v) SELECT 'row ' || i FROM generate_series(1, 500) i;
CREATE TABLE app.child (parent int REFERENCES app.parent, at timestamptz DEFAULT now())
    PARTITION BY RANGE (at);
CREATE TABLE app.child_all PARTITION OF app.child DEFAULT;
CREATE UNLOGGED TABLE app.scratch AS SELECT 1 AS v;
CREATE MATERIALIZED VIEW app.report AS SELECT count(*) FROM app.parent;
CREATE SEQUENCE app.numbers START 100;
SELECT nextval('app.numbers');
CREATE FUNCTION app.answer() RETURNS int LANGUAGE sql AS 'SELECT 42';
SELECT lo_from_bytea(4711, 'a large object');
SQL

my $template = $node->query(q{SELECT testpool.init_template('app')});
$node->query($content, database => $template);
my $expected = $node->dump_of($template);
$node->query(q{SELECT testpool.finalize('app')});

$node->query('CREATE ROLE somebody LOGIN');
$node->query(q{SET allow_in_place_tablespaces = on; CREATE TABLESPACE elsewhere LOCATION ''});
$node->query('CREATE TABLE published AS SELECT 1 AS id; CREATE PUBLICATION p FOR TABLE published');
$node->query(q{SELECT pg_create_logical_replication_slot('upstream', 'pgoutput')});

my @open;    # sessions that a misdeed leaves open

# SQL in the leased database, each string in a session of its own that ends.
sub inside
{
    my @statements = @_;
    return sub { $node->query($_, database => $_[0]) for @statements };
}

# SQL in the home database; %s stands for the name of the leased one.
sub outside
{
    my @statements = @_;
    return sub { $node->query(s/%s/$_[0]/gr) for @statements };
}

# SQL in a session in the leased database that stays open, and maybe a statement that still runs.
sub left_open
{
    my ($sql, $running) = @_;
    return sub {
        my $session = $node->session(database => $_[0]);
        $session->query($sql =~ s/%s/$_[0]/gr);
        $session->send($running) if defined $running;
        push @open, $session;
    };
}

sub both { my @deeds = @_; return sub { $_->(@_) for @deeds } }

my @misdeeds = (
    'nothing'          => sub { },
    'committed rows'   => inside(<<'SQL'),
INSERT INTO app.parent (v) VALUES ('mine');
UPDATE app.parent SET v = 'changed' WHERE id < 10;
DELETE FROM app.parent WHERE id > 490;
INSERT INTO app.scratch VALUES (2);
REFRESH MATERIALIZED VIEW app.report;
SQL
    'TRUNCATE'         => inside('TRUNCATE app.parent, app.child, app.scratch RESTART IDENTITY'),
    'sequences'        => inside(q{SELECT setval('app.numbers', 7)}),
    'large objects'    => inside(
        q{SELECT lo_from_bytea(4712, 'another'); SELECT lo_put(4711, 0, 'overwritten')},
        'SELECT lo_unlink(4711)'),
    'new objects'      => inside(<<'SQL'),
CREATE SCHEMA mine; CREATE TABLE mine.t AS SELECT 1; CREATE TYPE mine.mood AS ENUM ('sad');
CREATE DOMAIN mine.d AS int CHECK (value > 0); CREATE RULE r AS ON INSERT TO mine.t DO NOTHING;
SQL
    'DDL'              => inside(<<'SQL'),
ALTER TABLE app.parent ADD w int DEFAULT 7, ALTER v TYPE varchar(100);
CREATE INDEX ON app.parent (v); CLUSTER app.parent USING parent_pkey;
CREATE OR REPLACE FUNCTION app.answer() RETURNS int LANGUAGE sql AS 'SELECT 43';
GRANT ALL ON ALL TABLES IN SCHEMA app TO PUBLIC; COMMENT ON SCHEMA app IS 'mine';
ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC;
SQL
    'DROP of everything' => inside('DROP SCHEMA app CASCADE; DROP SCHEMA public CASCADE;
        DROP EXTENSION plpgsql CASCADE; SELECT lo_unlink(4711)'),
    'VACUUM FULL and REINDEX SYSTEM' => both(
        inside('VACUUM FULL'),
        sub { $node->query("REINDEX SYSTEM $_[0]", database => $_[0]) }),
    'an event trigger that forbids everything' => inside(<<'SQL'),
CREATE FUNCTION no() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$;
CREATE EVENT TRIGGER no ON ddl_command_start EXECUTE FUNCTION no();
SQL
    'a table in another tablespace' => inside('CREATE TABLE t TABLESPACE elsewhere AS SELECT 1'),
    'ALTER DATABASE SET TABLESPACE' => outside('ALTER DATABASE %s SET TABLESPACE elsewhere'),

    'ALTER DATABASE SET' => outside(
        'ALTER DATABASE %s SET default_transaction_read_only = on',
        'ALTER DATABASE %s SET statement_timeout = 1',
        q{ALTER DATABASE %s SET search_path = 'nowhere'},
        q{ALTER ROLE postgres IN DATABASE %s SET work_mem = '1MB'}),
    'ALTER DATABASE RENAME' => outside('ALTER DATABASE %s RENAME TO "an ""other"" name"'),
    'ALTER DATABASE OWNER'  => outside('ALTER DATABASE %s OWNER TO somebody'),
    'GRANT and COMMENT'     => outside(
        'GRANT CREATE ON DATABASE %s TO somebody; REVOKE CONNECT ON DATABASE %s FROM PUBLIC',
        q{COMMENT ON DATABASE %s IS 'mine'}),
    'CONNECTION LIMIT 0'     => outside('ALTER DATABASE %s CONNECTION LIMIT 0'),
    'ALLOW_CONNECTIONS false' => outside('ALTER DATABASE %s ALLOW_CONNECTIONS false'),
    'IS_TEMPLATE true'       => outside('ALTER DATABASE %s IS_TEMPLATE true'),
    'all of these at once'   => outside(
        'ALTER DATABASE %s OWNER TO somebody; ALTER DATABASE %s IS_TEMPLATE true CONNECTION LIMIT 0',
        'ALTER DATABASE %s ALLOW_CONNECTIONS false; ALTER DATABASE %s RENAME TO renamed'),
    'an interrupted DROP DATABASE' => outside(
        q{UPDATE pg_database SET datconnlimit = -2 WHERE datname = '%s'}),
    'DROP DATABASE' => outside('DROP DATABASE %s'),

    'an idle session'                => left_open('SELECT'),
    'a session idle in a transaction' => left_open('BEGIN; LOCK app.parent; LOCK pg_catalog.pg_class'),
    'a session that sleeps'          => left_open('SELECT', 'SELECT pg_sleep(3600)'),
    'a session that is busy'         => left_open(
        'SELECT', 'DO $$ BEGIN LOOP PERFORM count(*) FROM app.parent; END LOOP; END $$'),
    'a session that will not listen' => left_open('SELECT', <<'SQL'),
DO $$ BEGIN LOOP
    BEGIN PERFORM pg_sleep(3600); EXCEPTION WHEN OTHERS OR query_canceled THEN NULL; END;
END LOOP; END $$
SQL
    'an advisory lock' => left_open('SELECT pg_advisory_lock(42), pg_advisory_lock_shared(43)'),
    'temporary tables' => left_open('CREATE TEMP TABLE t AS SELECT generate_series(1, 1000)'),
    'an uncommitted ALTER DATABASE from inside' =>
      left_open('BEGIN; ALTER DATABASE %s CONNECTION LIMIT 7; ALTER DATABASE %s SET work_mem = 64'),
    'ten sessions' => both(map { left_open('BEGIN; INSERT INTO app.scratch VALUES (3)') } 1 .. 10),

    'prepared transactions' => inside(<<'SQL'),
BEGIN; INSERT INTO app.scratch VALUES (4); PREPARE TRANSACTION 'it''s "one"';
BEGIN; ALTER TABLE app.parent ADD x int; PREPARE TRANSACTION 'two';
SQL
    'a prepared transaction behind an event trigger and settings' => both(
        inside(q{BEGIN; CREATE TABLE prepared (); PREPARE TRANSACTION 'three'}),
        inside(<<'SQL'),
CREATE FUNCTION no() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$;
CREATE EVENT TRIGGER no ON ddl_command_start EXECUTE FUNCTION no();
SQL
        outside('ALTER DATABASE %s SET default_transaction_read_only = on',
            'ALTER DATABASE %s SET statement_timeout = 1')),
    'a logical replication slot' =>
      inside(q{SELECT pg_create_logical_replication_slot('left_behind', 'pgoutput')}),
    'a logical replication slot in use' => both(
        inside(q{SELECT pg_create_logical_replication_slot('streaming', 'test_decoding')}),
        \&stream_from_slot),
    'a temporary replication slot' =>
      left_open(q{SELECT pg_create_logical_replication_slot('temporary', 'pgoutput', true)}),
    'a subscription that is not connected' => inside(
        q{CREATE SUBSCRIPTION "not ""connected""" CONNECTION 'host=/nowhere' PUBLICATION p
          WITH (connect = false)}),
    'a subscription that streams' => \&subscribe,
    'a publication' => inside('CREATE PUBLICATION all_tables FOR ALL TABLES'),
);

# A walsender in the database.
sub stream_from_slot
{
    my ($database) = @_;
    my $harness = IPC::Run::start(
        [ 'pg_recvlogical', '-d', $node->connstr($database), '--slot', 'streaming', '--start',
          '--no-loop', '-f', '-' ],
        '>', '/dev/null', '2>', '/dev/null');
    $node->poll_query_until('postgres',
        q{SELECT active FROM pg_replication_slots WHERE slot_name = 'streaming'})
      or die 'the slot is not in use';
    push @open, bless({ harness => $harness }, 'Stream');
}

sub Stream::quit { eval { $_[0]{harness}->finish } }

# An apply worker in the database, whose slot is in the home database.
sub subscribe
{
    my ($database) = @_;
    my $connection = TestpoolCluster::literal($node->connstr('postgres'));
    $node->query(<<SQL, database => $database);
CREATE TABLE published (id int);
CREATE SUBSCRIPTION s CONNECTION $connection PUBLICATION p
    WITH (create_slot = false, slot_name = 'upstream', copy_data = false);
SQL
    $node->poll_query_until('postgres',
        q{SELECT active FROM pg_replication_slots WHERE slot_name = 'upstream'})
      or die 'the subscription does not stream';
}

# --- the misdeeds, one after the other ----------------------------------------------------------

my ($holder) = $node->sessions(1);

# The launcher hears of a release when its transaction has committed.
sub lease_ends
{
    my ($oid) = @_;
    $node->poll_query_until('postgres',
        "SELECT NOT EXISTS (SELECT FROM testpool.database WHERE oid = $oid AND state = 'leased')")
      or die "the lease of $oid does not end";
}

sub is_gone_or_clean
{
    my ($oid, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is($node->query(<<SQL), 't', $name);
SELECT NOT EXISTS (SELECT FROM pg_database p WHERE oid = $oid
                    AND NOT EXISTS (SELECT FROM testpool.database WHERE oid = p.oid AND state = 'ready'))
   AND NOT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name <> 'upstream')
   AND NOT EXISTS (SELECT FROM pg_prepared_xacts)
   AND NOT EXISTS (SELECT FROM pg_subscription)
   AND NOT EXISTS (SELECT FROM pg_db_role_setting WHERE setdatabase <> 0)
   AND NOT EXISTS (SELECT FROM pg_shdescription WHERE description = 'mine')
   AND NOT EXISTS (SELECT FROM pg_stat_activity WHERE datid = $oid)
SQL
}

sub next_clones_are_clean
{
    my ($name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my @clones = split /\n/,
      $holder->query(q{SELECT testpool.acquire('app') FROM generate_series(1, 2)});
    my @different = grep { $_ ne $expected } map { $node->dump_of($_) } @clones;
    ok(!@different, $name) or diag(difference($different[0]));
    $holder->query('SELECT testpool.release()');
}

sub difference
{
    my ($found) = @_;
    my %expected = map { $_ => 1 } split /\n/, $expected;
    my %found    = map { $_ => 1 } split /\n/, $found;
    return join "\n", (map { "- $_" } grep { !$found{$_} } sort keys %expected),
      map { "+ $_" } grep { !$expected{$_} } sort keys %found;
}

sub close_sessions { $_->quit for splice @open; }

for my $recycle (qw(auto recreate))
{
    $node->query($_) for "ALTER SYSTEM SET testpool.recycle = $recycle", 'SELECT pg_reload_conf()';
    commit_and_undo($misdeeds[ 2 * $_ ], $misdeeds[ 2 * $_ + 1 ], "recycle = $recycle")
      for 0 .. $#misdeeds / 2;
}

sub commit_and_undo
{
    my ($what, $misdeed, $how) = @_;
    my $database = $holder->query(q{SELECT testpool.acquire('app')});
    my $oid      = $node->oid_of($database);
    $misdeed->($database);
    $holder->query("SELECT testpool.release('$database')");
    lease_ends($oid);
    $node->settle;
    close_sessions();
    is_gone_or_clean($oid, "$how: after $what nothing of the released database is left");
    $node->has_no_orphans("$how: after $what no file of it is left");
    next_clones_are_clean("$how: after $what the next clones equal the template");
}

# --- what holds up the drop does not hold up the pool -------------------------------------------

my $database = $holder->query(q{SELECT testpool.acquire('app')});
my $oid      = $node->oid_of($database);
my ($altering) = $node->sessions(1);
$altering->query("BEGIN; ALTER DATABASE $database CONNECTION LIMIT 7");
$holder->query("SELECT testpool.release('$database')");
next_clones_are_clean('clones are handed out while an ALTER DATABASE of a released one is uncommitted');
$altering->query('COMMIT');
$altering->quit;
$node->settle;
is_gone_or_clean($oid, 'the released one is gone once that is committed');

# --- recreate -----------------------------------------------------------------------------------

my %spoiled = (
    'DDL'                   => inside('DROP SCHEMA app CASCADE'),
    'a setting'             => outside('ALTER DATABASE %s SET default_transaction_read_only = on'),
    'a sleeping session'    => left_open('SELECT', 'SELECT pg_sleep(3600)'),
    'an open transaction'   => left_open('BEGIN; LOCK pg_catalog.pg_class'),
    'a subscription'        => \&subscribe,
    'IS_TEMPLATE'           => outside('ALTER DATABASE %s IS_TEMPLATE true ALLOW_CONNECTIONS false'),
    'a prepared transaction' => inside(q{BEGIN; CREATE TABLE x (); PREPARE TRANSACTION 'x'}),
    'DROP DATABASE'         => outside('DROP DATABASE %s'));

$database = $holder->query(q{SELECT testpool.acquire('app')});
for my $what (sort keys %spoiled)
{
    $spoiled{$what}->($database);
    $holder->query("SELECT testpool.recreate('$database')");
    close_sessions();
    is($node->dump_of($database), $expected, "recreate after $what: equal to the template at once");
    is( $node->query(
            "SELECT state, pid FROM testpool.databases WHERE database = '$database'"),
        "leased|$holder->{pid}",
        "recreate after $what: the lease is kept");
}

$holder->quit;
$node->query(q{SELECT pg_drop_replication_slot('upstream')});
$node->finish;
