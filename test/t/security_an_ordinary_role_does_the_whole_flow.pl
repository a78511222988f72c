# A role without CREATEDB and superuser does everything once it is granted USAGE and EXECUTE. What is
# another role's stays that role's.
use v5.20;
use warnings FATAL => 'all';

use PostgreSQL::Test::Utils;
use Test::More;
use TestpoolCluster;

my $node = TestpoolCluster->begin('roles', conf => 'testpool.pool_size = 1');

# A name that must be quoted wherever it is used.
my $tester = q{the "tester" of o'clock};
my $quoted = q{"the ""tester"" of o'clock"};
$node->query("CREATE ROLE $quoted LOGIN; CREATE ROLE intruder LOGIN; CREATE ROLE colleague LOGIN");
$node->query("GRANT $quoted TO colleague");

sub as_tester { my ($sql, %options) = @_; return $node->query($sql, user => $tester, %options) }

# --- nothing without grants ---------------------------------------------------------------------

my @calls = (
    q{init_template('x')}, q{finalize('x')}, q{discard('x')}, q{alias('n', 'x')}, q{acquire()}, q{release()},
    q{recreate('x')}, q{keep('x')}, q{prewarm('x', 1)}, q{url('x')}, q{reset()}, q{version()},
    q{created()});
$node->fails_with('42501', "SELECT testpool.$_", "without grants $_ is refused", user => 'intruder')
  for @calls;
$node->query('GRANT USAGE ON SCHEMA testpool TO PUBLIC');
$node->fails_with('42501', "SELECT testpool.$_", "with USAGE alone $_ is refused",
    user => 'intruder', message => qr/function/)
  for @calls;
$node->fails_with('42501', "SELECT * FROM testpool.$_", "the table $_ cannot be read by others",
    user => 'intruder')
  for qw(template database);
is($node->query('SELECT count(*) FROM testpool.templates, testpool.databases', user => 'intruder'),
    0, 'the views can be read by all who have USAGE');

# --- the whole flow -----------------------------------------------------------------------------

$node->query("GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA testpool TO $quoted, intruder, colleague");
my $template = as_tester(q{SELECT testpool.init_template('app', name => 'the app')});
as_tester(<<'SQL', database => $template);
CREATE SCHEMA app; CREATE TABLE app.t AS SELECT 1 AS v; CREATE TABLE public.u ();
GRANT SELECT ON u TO PUBLIC;
SQL
is($node->query("SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = '$template'"),
    $tester, 'the database to build belongs to the role that builds');

for my $call (qw(finalize discard))
{
    $node->fails_with('42501', "SELECT testpool.$call('app')", "$call of another's build is refused",
        user => 'intruder', detail => qr/\Q$tester\E/);
}
as_tester(q{SELECT testpool.finalize('app')});
is(as_tester(q{SELECT testpool.prewarm('app', 1)}), 1, 'the role prewarms');
$node->fails_with('42501', q{SELECT testpool.discard('app')},
    q{discard of another's template is refused}, user => 'intruder');

my $database = as_tester(q{SELECT testpool.acquire('app')});
is( $node->query("SELECT role, hash FROM testpool.databases WHERE database = '$database'"),
    "$tester|app",
    'the lease belongs to the role');
as_tester('CREATE TABLE app.mine AS SELECT 2; DROP TABLE app.t; CREATE SCHEMA other',
    database => $database);
like(as_tester("SELECT testpool.url('$database')"),
    qr{^postgresql://the%20%22tester%22%20of%20o%27clock@/$database\?}, 'url names the role');

for my $call ("release('$database')", "recreate('$database')", "keep('$database')")
{
    $node->fails_with('42501', "SELECT testpool.$call", "another's $call is refused",
        user => 'intruder', detail => qr/\Q$tester\E/);
}
is($node->query('SELECT * FROM app.mine', database => $database, user => $tester),
    2, 'after those errors the database is as before');
is($node->query("SELECT state FROM testpool.databases WHERE database = '$database'"),
    'leased', 'and leased');

as_tester("SELECT testpool.recreate('$database')");
is(as_tester('SELECT v FROM app.t', database => $database), 1, 'the role recreates');
my $url = as_tester("SELECT testpool.keep('$database', 'see')");
like($url, qr{/$database\?}, 'the role keeps');
as_tester("SELECT testpool.release('$database')");
$node->wait_for_lease_end($database);

# --- members of the role, superusers ------------------------------------------------------------

$database = as_tester(q{SELECT testpool.acquire('app')});
$node->query("SELECT testpool.release('$database')", user => 'colleague');
$node->wait_for_lease_end($database);
pass('a member of the role may release');
$database = as_tester(q{SELECT testpool.acquire('app')});
$node->query("SELECT testpool.release('$database')");
$node->wait_for_lease_end($database);
pass('a superuser may release');
as_tester(q{SELECT testpool.init_template('given up')});
$node->query(q{SELECT testpool.discard('given up', 'by the superuser')});
is($node->query(q{SELECT reason FROM testpool.templates WHERE hash = 'given up'}),
    'by the superuser', 'a superuser may discard');

# --- another role uses the template -------------------------------------------------------------

$database = $node->query(q{SELECT testpool.acquire('app')}, user => 'intruder');
is($node->query('SELECT count(*) FROM public.u', database => $database, user => 'intruder'),
    0, 'another role may acquire from the template');
$node->fails_with('42501', "SELECT testpool.release('$database')",
    'and its lease is not the builder\'s', user => $tester);
$node->query("SELECT testpool.release('$database')", user => 'intruder');

# --- reset --------------------------------------------------------------------------------------

$node->fails_with('42501', 'SELECT testpool.reset()',
    'reset is not for those who can execute it alone', user => $_)
  for $tester, 'intruder';
is($node->query(q{SELECT state FROM testpool.templates WHERE hash = 'app'}),
    'finalized', 'and after that error all is as before');

# --- SET ROLE and SECURITY DEFINER --------------------------------------------------------------

my $session = $node->session;
$session->query('SET ROLE intruder');
$database = $session->query(q{SELECT testpool.acquire('app')});
is($node->query("SELECT role FROM testpool.databases WHERE database = '$database'"),
    'intruder', 'a lease belongs to the current role, not to the session\'s');
$session->query('RESET ROLE; SET SESSION AUTHORIZATION intruder');
$session->query("SELECT testpool.release('$database')");
$node->wait_for_lease_end($database);
$session->quit;

# --- a role that is dropped ---------------------------------------------------------------------

$node->query('CREATE ROLE leaving LOGIN; GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA testpool TO leaving');
$database = $node->query(q{SELECT testpool.acquire('app')}, user => 'leaving');
$node->query('DROP OWNED BY leaving; DROP ROLE leaving');
is($node->query("SELECT role LIKE 'unknown (OID=%' FROM testpool.databases WHERE database = '$database'"),
    't', 'the view shows a lease of a role that was dropped');
$node->query("SELECT testpool.release('$database')");
$node->wait_for_lease_end($database);
pass('which a superuser releases');

$node->finish;
