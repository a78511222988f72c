# testpool.private: a leased database lets in the role that holds it, members of that role, the
# database's owner, and superusers; and a clean clone tells nothing of it.
use v5.20;
use experimental 'signatures';
use warnings FATAL => 'all';

use PostgreSQL::Test::Utils;
use Test::More;
use TestpoolCluster;

my $node = TestpoolCluster->begin('private', conf => "testpool.pool_max = 3\n");
$node->query(<<'SQL');
CREATE ROLE builder LOGIN; CREATE ROLE tester LOGIN; CREATE ROLE intruder LOGIN; CREATE ROLE guest LOGIN;
CREATE ROLE colleague LOGIN IN ROLE tester;
GRANT USAGE ON SCHEMA testpool TO builder, tester, intruder, guest;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA testpool TO builder, tester, intruder, guest;
SQL

# Why the role cannot connect; empty: it can.
sub refusal ($database, $role)
{
    my $error = $node->error_of('SELECT 1', database => $database, user => $role);
    return $error ? $error->{message} =~ s/.*FATAL:  //sr : '';
}

sub is_open_to ($what, $database, @roles)
{
    is(refusal($database, $_), '', "$what: $_ connects") for @roles;
}

sub is_closed_to ($what, $database, @roles)
{
    like(refusal($database, $_), qr/^permission denied for database "\Q$database\E"/,
        "$what: $_ is refused")
      for @roles;
}

sub set_to ($value)
{
    $node->settle;
    $node->query("ALTER SYSTEM SET testpool.private = $value");
    $node->query('SELECT pg_reload_conf()');
    $node->poll_query_until('postgres', "SELECT current_setting('testpool.private') = '$value'")
      or die 'the setting is not in force';
}

# What tells who may connect to a database: its privileges, and the roles that it depends on.
sub privileges_of ($database)
{
    return $node->query(<<SQL);
SELECT datacl, ARRAY(SELECT refobjid::regrole || deptype::text FROM pg_shdepend
                      WHERE dbid = 0 AND classid = 'pg_database'::regclass AND objid = d.oid ORDER BY 1)
  FROM pg_database d WHERE datname = '$database'
SQL
}

sub acquire ($role) { return $node->query(q{SELECT testpool.acquire('app')}, user => $role) }

sub release ($database)
{
    $node->query("SELECT testpool.release('$database')");
    $node->settle;
}

# The template itself lets a guest in, and nobody else but its owner.
my $template = $node->build('app', <<'SQL', user => 'builder');
CREATE TABLE t (v int);
DO $$
BEGIN
    EXECUTE format('REVOKE CONNECT ON DATABASE %I FROM PUBLIC', current_database());
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO guest', current_database());
END $$;
SQL
$node->build('open', 'SELECT', user => 'builder');
$node->query(q{SELECT testpool.alias('open', 'open')});
my $before = privileges_of($template);

# --- off, and on --------------------------------------------------------------------------------

my $early = acquire('tester');
is_open_to('off', $early, qw(guest builder postgres));
is_closed_to('off, as in the template', $early, qw(tester intruder));
set_to('on');
is_open_to('an earlier lease', $early, 'guest');
$node->query("SELECT testpool.recreate('$early')");
is_open_to('recreated since', $early, qw(tester colleague builder postgres));
is_closed_to('recreated since', $early, qw(guest intruder));

# --- acquired, released, acquired by another ----------------------------------------------------

my $database = acquire('tester');
is_open_to('acquired', $database, qw(tester colleague builder postgres));
is_closed_to('acquired', $database, qw(guest intruder));
$node->query('GRANT CREATE ON SCHEMA public TO PUBLIC', database => $database);
release($early);
release($database);
is($node->query(q{SELECT count(*) FROM testpool.databases WHERE hash = 'app' AND recycled = 'clone'}), 0,
    'they were rewound');
is(privileges_of($_), $before, "a clean clone has its template's privileges")
  for split /\n/, $node->query(q{SELECT database FROM testpool.databases WHERE hash = 'app' AND state = 'ready'});

$database = acquire('intruder');
is_open_to('acquired by another', $database, qw(intruder builder));
is_closed_to('acquired by another', $database, qw(tester colleague guest));
release($database);

# --- an owner that holds it, a superuser that holds it ------------------------------------------

$database = acquire('builder');
is_open_to('held by its owner', $database, 'builder');
is_closed_to('held by its owner', $database, qw(tester guest));
release($database);
$database = acquire('postgres');
is_open_to('held by a superuser', $database, qw(builder postgres));
is_closed_to('held by a superuser', $database, qw(tester guest));
release($database);

# --- by name ------------------------------------------------------------------------------------

is_open_to('connected by name', 'open~1', qw(tester colleague builder));
is_closed_to('connected by name', 'open~1', qw(intruder guest));
is_open_to('connected by name', 'open~2', 'intruder');
is_closed_to('connected by name', 'open~2', 'tester');
$node->query(q{SELECT testpool.release('open~1'), testpool.release('open~2')});

# --- kept, over a restart -----------------------------------------------------------------------

$database = acquire('tester');
$node->query("SELECT testpool.keep('$database', 'to see')", user => 'tester');
$node->restart;
is_open_to('kept', $database, qw(tester builder));
is_closed_to('kept', $database, qw(guest intruder));
release($database);

# --- roles that go ------------------------------------------------------------------------------

$database = acquire('intruder');
$node->fails_with('2BP01', 'REVOKE ALL ON SCHEMA testpool FROM intruder;
    REVOKE ALL ON ALL FUNCTIONS IN SCHEMA testpool FROM intruder; DROP ROLE intruder',
    'the role of a private lease cannot be dropped', detail => qr/database \Q$database\E/);
$node->query('DROP OWNED BY intruder; DROP ROLE intruder');
pass('unless what it owns is dropped');
$node->query("SELECT testpool.recreate('$database')");
is_open_to("a lease of nobody's", $database, qw(builder postgres));
is_closed_to("a lease of nobody's", $database, qw(tester guest));
release($database);

# --- off again ----------------------------------------------------------------------------------

set_to('off');
$database = acquire('tester');
is(privileges_of($database), $before, 'off again: a lease has its template\'s privileges');

$node->finish;
