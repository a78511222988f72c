# Any hash, any name, any search_path: hashes that differ never share a database, names are quoted,
# and nothing that others put into a schema is run by testpool.
use v5.20;
use warnings FATAL => 'all';

use PostgreSQL::Test::Utils;
use Test::More;
use TestpoolCluster;

my $node = TestpoolCluster->begin(
    'hostile',
    create => 0,
    init   => { extra => [ '-E', 'UTF8', '--locale', 'C' ] },
    conf   => <<CONF);
testpool.pool_size = 1
max_prepared_transactions = 5
CONF
my $literal = \&TestpoolCluster::literal;

# --- a schema full of traps ---------------------------------------------------------------------

# Whatever of it is run leaves its name in this table's sequence: nextval is not rolled back.
my $traps = <<'SQL';
CREATE SCHEMA trap;
CREATE SEQUENCE trap.sprung;
CREATE FUNCTION trap.spring() RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_catalog.nextval('trap.sprung');
    RAISE EXCEPTION 'a trap was sprung by %', pg_catalog.current_query();
END $$;
DO $$
DECLARE f record; t text;
BEGIN
    -- Better matches than those of pg_catalog, for whoever looks here first.
    FOR f IN SELECT * FROM (VALUES
        ('pg_terminate_backend(int)', 'boolean'), ('pg_backend_pid()', 'int'),
        ('current_database()', 'name'), ('format(text, name)', 'text'),
        ('count(anyelement)', 'bigint'), ('pg_get_userbyid(oid)', 'name'),
        ('nextval(text)', 'bigint'), ('now()', 'timestamptz'),
        ('current_setting(text)', 'text')) v(signature, result)
    LOOP
        EXECUTE pg_catalog.format(
            'CREATE FUNCTION trap.%s RETURNS %s LANGUAGE plpgsql AS %L',
            f.signature, f.result, 'BEGIN PERFORM trap.spring(); RETURN NULL; END');
    END LOOP;
    FOR t IN SELECT pg_catalog.unnest(ARRAY['oid', 'text', 'name', 'int', 'bigint', 'boolean']) LOOP
        EXECUTE pg_catalog.format('CREATE FUNCTION trap.equals(%s, %1$s) RETURNS boolean
            LANGUAGE plpgsql AS %L', t, 'BEGIN PERFORM trap.spring(); RETURN true; END');
        EXECUTE pg_catalog.format('CREATE OPERATOR trap.= (LEFTARG = %s, RIGHTARG = %1$s,
            FUNCTION = trap.equals)', t);
        EXECUTE pg_catalog.format('CREATE OPERATOR trap.<> (LEFTARG = %s, RIGHTARG = %1$s,
            FUNCTION = trap.equals)', t);
    END LOOP;
    FOR t IN SELECT pg_catalog.unnest(ARRAY['pg_database', 'pg_tablespace', 'pg_stat_activity',
        'pg_prepared_xacts', 'pg_subscription', 'pg_replication_slots', 'template', 'database'])
    LOOP
        EXECUTE pg_catalog.format('CREATE VIEW trap.%I AS SELECT trap.spring()', t);
    END LOOP;
END $$;
SQL

sub sprung
{
    my (%options) = @_;
    return $node->query('SELECT is_called FROM trap.sprung', %options);
}

$node->query($traps);
$node->query('ALTER DATABASE postgres SET search_path = trap, pg_catalog');
isnt($node->error_of('SELECT pg_backend_pid() = 1'), undef, 'the traps work');
$node->query('SELECT pg_catalog.setval(\'trap.sprung\', 1, false)');

# The launcher and the workers start with these settings, too.
$node->restart;
$node->query('CREATE EXTENSION testpool');
is(sprung(), 'f', 'CREATE EXTENSION runs nothing that is not its own');

my $template = $node->query(q{SELECT testpool.init_template('traps')});
$node->query($traps, database => $template);
$node->query("ALTER DATABASE $template SET search_path = trap, pg_catalog");
$node->query(q{SELECT testpool.finalize('traps')});
my $clone = $node->query(q{SELECT testpool.acquire('traps')});
is(sprung(), 'f', 'init_template, finalize and acquire run nothing of the home database');
is(sprung(database => $clone), 'f', 'nor of the template');

$node->query(<<SQL, database => $clone);
BEGIN; CREATE TABLE public.t (); PREPARE TRANSACTION 'left';
SQL
$node->query(q{CREATE SUBSCRIPTION s CONNECTION 'host=/nowhere' PUBLICATION p WITH (connect = false)},
    database => $clone);
$node->query("ALTER DATABASE $clone SET search_path = trap, pg_catalog");
$node->query("SELECT testpool.recreate('$clone')");
is(sprung(database => $clone), 'f', 'a visit to a used database runs nothing of it');
is($node->query(
        q{SELECT count(*) FROM testpool.templates, testpool.databases WHERE databases.state OPERATOR(pg_catalog.=) 'leased'}),
    1, 'the views work with that search_path');
$node->query("SELECT testpool.release('$clone'), testpool.discard('traps')");
$node->query('SELECT testpool.reset()');
is(sprung(), 'f', 'release, discard and reset run nothing of others');
$node->query('ALTER DATABASE postgres RESET search_path');

# --- hashes -------------------------------------------------------------------------------------

my $common = 'f' x 60;
my @hashes = (
    'plain', 'Plain', 'plain ', ' plain', q{it's "quoted"}, '%s%n%d', "two\nlines", "a\ttab", '\\',
    '$1', q{'; DROP DATABASE postgres; --}, '-1', 'NULL', 'größe', 'größE', '日本語', '🐘',
    "${common}aaaa", "${common}aaab", 'x' x 1024, ('x' x 1023) . 'y', 'é' x 512);
my %database_of;
for my $hash (@hashes)
{
    my $builder  = $node->session;
    my $database = $builder->query("SELECT testpool.init_template(@{[ $literal->($hash) ]})");
    $database_of{$hash} = $database;
    $node->query("CREATE TABLE t AS SELECT @{[ $literal->($hash) ]}::text AS hash",
        database => $database);
    $builder->query("SELECT testpool.finalize(@{[ $literal->($hash) ]})");
    $builder->quit;
}
is(keys %{ { map { $_ => 1 } values %database_of } }, @hashes, 'each hash is built in its own database');

my (@wrong, %seen);
for my $hash (@hashes)
{
    my $database = $node->query("SELECT testpool.acquire(@{[ $literal->($hash) ]})");
    push @wrong, $hash if $seen{$database}++;
    push @wrong, $hash
      if $node->query("SELECT hash = @{[ $literal->($hash) ]} FROM t", database => $database) ne 't';
    $node->query("SELECT testpool.release('$database')");
}
is_deeply(\@wrong, [], 'and each acquire gets a clone of its own hash');

for my $bad (q{''}, 'NULL', q{repeat('x', 1025)}, q{repeat('é', 513)})
{
    $node->fails_with('22023', "SELECT testpool.init_template($bad)", "the hash $bad is refused");
}
$node->fails_with('42704', q{SELECT testpool.acquire('PLAIN')}, 'hashes are case-sensitive');

# --- reasons, application names -----------------------------------------------------------------

my ($builder, $waiting) = $node->sessions(2);
$builder->query(q{SET application_name = '%s%n "a" ''b'''});
$builder->query(q{SELECT testpool.init_template('slow')});
TestpoolCluster::is_error(
    $waiting->try_query(q{SELECT testpool.acquire('slow', '100 ms')})->{error},
    '55P03', 'an application name with % and quotes is shown as it is',
    detail => qr/application "%s%n "a" 'b'"/);
$waiting->send(q{SELECT testpool.acquire('slow')});
$node->wait_until_waiting($waiting);
$builder->query(q{SELECT testpool.discard('slow', E'%s broke\nin line 2: é ' || repeat('é', 5000))});
TestpoolCluster::is_error($waiting->result->{error}, '55000',
    'a long reason with % and a line feed is shown as it is, cut at a character',
    detail => qr/%s broke\nin line 2: é (?:é)+$/s);

# --- names of databases and roles ---------------------------------------------------------------

$node->query('SELECT testpool.reset()');
my $root = q{the "root" of it's; DROP};
$node->query(q{CREATE DATABASE "the ""root"" of it's; DROP"});
$node->query('CREATE TABLE from_root AS SELECT 7 AS v', database => $root);
$node->append_conf('postgresql.conf', <<'CONF');
testpool.name_prefix = 'Te"st''s $1; --é_'
testpool.root_template = 'the "root" of it''s; DROP'
CONF
$node->query(q{CREATE ROLE "Ro""le; é" LOGIN});
$node->query(q{GRANT USAGE ON SCHEMA testpool TO PUBLIC});
$node->query(q{GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA testpool TO PUBLIC});
$node->reload;
$node->poll_query_until('postgres',
    q{SELECT starts_with(current_setting('testpool.name_prefix'), 'Te')});
my %as_role = (user => q{Ro"le; é});
my $odd = $node->query(q{SELECT testpool.init_template('odd')}, %as_role);
like($odd, qr/^Te"st's \$1; --/, 'a prefix may be any text');
is($node->query('SELECT v FROM from_root', database => $odd), 7, 'and the root template any name');
$node->query(q{SELECT testpool.finalize('odd')}, %as_role);
$clone = $node->query(q{SELECT testpool.acquire('odd')}, %as_role);
is($node->query('SELECT v FROM from_root', database => $clone), 7, 'clones bear such names as well');
my $url = $node->query("SELECT testpool.url(@{[ $literal->($clone) ]})", %as_role);
is($node->psql('postgres', 'SELECT 1', connstr => $url, stdout => \my $one), 0,
    'and can be reached by their url');
$node->query("SELECT testpool.recreate(@{[ $literal->($clone) ]})", %as_role);
$node->query("SELECT testpool.release(@{[ $literal->($clone) ]})", %as_role);
$node->settle;
$node->query('SELECT testpool.reset()');
is($node->query(q{SELECT count(*) FROM pg_database WHERE datname LIKE 'Te%'}),
    0, 'reset drops them');

$_->quit for $builder, $waiting;
$node->finish;
