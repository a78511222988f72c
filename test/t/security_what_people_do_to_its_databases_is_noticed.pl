# Databases of testpool that somebody drops, renames or opens by hand, roles that go, rows that are
# changed: what can be mended is mended without a person, else an error says what to do. Nobody gets
# what is not clean.
use v5.20;
use experimental 'signatures';
use warnings FATAL => 'all';

use PostgreSQL::Test::Utils;
use Test::More;
use TestpoolCluster;

my $node = TestpoolCluster->begin('by_hand', conf => "testpool.lease_grace = '1s'\n");

sub clones ($hash)
{
    return split /\n/, $node->query("SELECT database FROM testpool.databases WHERE hash = '$hash' AND state = 'ready'");
}

sub can_be_acquired ($hash, $name)
{
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $database = $node->query("SELECT testpool.acquire('$hash')");
    is($node->query('SELECT v FROM t', database => $database), 1, $name);
    $node->query("SELECT testpool.release('$database')");
    $node->settle;
}

# --- clones ---------------------------------------------------------------------------------------

$node->build('app', 'CREATE TABLE t AS SELECT 1 AS v');
$node->settle;

$node->query("DROP DATABASE $_") for clones('app');
can_be_acquired('app', 'after all ready clones were dropped by hand others are made');

for my $clone (clones('app'))
{
    $node->query("ALTER DATABASE $clone ALLOW_CONNECTIONS true");
    $node->query('UPDATE t SET v = 2', database => $clone);
}
can_be_acquired('app', 'ready clones into which somebody let clients are cleaned before they are handed out');

$node->query("ALTER DATABASE $_ RENAME TO renamed_$_") for clones('app');
can_be_acquired('app', 'ready clones that were renamed are known by their OID');
is($node->query(q{SELECT count(*) FROM pg_database WHERE datname ~ '^renamed_'
                     AND oid NOT IN (SELECT oid FROM testpool.database)}), 0, 'and none is lost');

my $holder = $node->session;
my ($dropped, $renamed) = map { $holder->query(q{SELECT testpool.acquire('app')}) } 1 .. 2;
$node->query("DROP DATABASE $dropped");
$node->query("ALTER DATABASE $renamed RENAME TO somewhere_else");
$node->fails_with('42704', q{SELECT testpool.release('somewhere_else')},
    'a leased clone that was renamed is known by the name that was handed out',
    hint => qr/testpool\.databases/);
is($holder->try_query("SELECT testpool.release('$_')")->{error}, undef, 'so it can be released')
  for $dropped, $renamed;
$node->settle;
is($node->query(q{SELECT count(*) FROM pg_database WHERE datname = 'somewhere_else'}), 0, 'and is not left behind');

# --- templates ------------------------------------------------------------------------------------

my $template = $node->build('short', 'CREATE TABLE t AS SELECT 1 AS v');
$node->settle;
my $leased = $holder->query(q{SELECT testpool.acquire('short')});
$node->query("ALTER DATABASE $template IS_TEMPLATE false");
$node->query("DROP DATABASE $template");
$holder->query(q{SELECT testpool.acquire('short')});    # what is ready, while it lasts
$node->poll_query_until('postgres', q{SELECT state = 'discarded' FROM testpool.templates WHERE hash = 'short'})
  or die 'the template is still said to be there';
$node->fails_with('55000', q{SELECT testpool.acquire('short')},
    'a template that was dropped by hand is discarded',
    detail => qr/dropped by someone else/, hint => qr/init_template/);
is($node->query('SELECT v FROM t', database => $leased), 1, 'who has a clone of it keeps that');
$holder->query('SELECT testpool.release()');
$node->build('short', 'CREATE TABLE t AS SELECT 1 AS v');
$node->settle;
can_be_acquired('short', 'and it can be built again');

# --- builds ---------------------------------------------------------------------------------------

$node->query(<<SQL);
CREATE ROLE maker LOGIN CREATEDB;
GRANT USAGE ON SCHEMA testpool TO maker;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA testpool TO maker;
SQL
my $maker = $node->session(user => 'maker');
$template = $maker->query(q{SELECT testpool.init_template('remade')});
$maker->query("DROP DATABASE $template");
TestpoolCluster::is_error($maker->try_query(q{SELECT testpool.finalize('remade')})->{error}, '55000',
    'a build whose database was dropped cannot be finalized', hint => qr/Create it again/);
$node->query("CREATE DATABASE $template");
TestpoolCluster::is_error($maker->try_query(q{SELECT testpool.finalize('remade')})->{error}, '55000',
    'nor is the database of another role under its name taken', detail => qr/belongs to role "maker"/);
$node->query("DROP DATABASE $template");
$maker->query("CREATE DATABASE $template");
$node->query('CREATE TABLE t AS SELECT 1 AS v', database => $template, user => 'maker');
is($maker->query(q{SELECT testpool.finalize('remade')}), '', 'its own role may create it again');
can_be_acquired('remade', '… and clones are made of that');
$node->query(q{SELECT testpool.discard('remade')});
$node->settle;
is($node->query("SELECT count(*) FROM pg_database WHERE datname = '$template'"), 0, '… and it is dropped in the end');

my $visitor = $node->session(database => 'template1');
$maker->send(q{SELECT testpool.init_template('visited')});
$node->poll_query_until('postgres', q{SELECT failures > 0 FROM testpool.stats WHERE hash = 'visited'}) or die;
ok(!$maker->answered, 'who builds waits while somebody is in the root template');
$visitor->quit;
ok($maker->result->{out}, '… and has a database when they are gone');
$maker->query(q{SELECT testpool.discard('visited')});
$visitor = $node->session(database => 'template1');
$maker->query(q{SET testpool.template_timeout = '1s'});
TestpoolCluster::is_error($maker->try_query(q{SELECT testpool.init_template('visited')})->{error}, '55006',
    '… or is told', hint => qr/Close the sessions in it/);
$visitor->quit;
$maker->quit;

$template = $holder->query(q{SELECT testpool.init_template('slow')});
$node->query(<<SQL, database => $template);
CREATE TABLE t AS SELECT 1 AS v;
CREATE FUNCTION slow(integer) RETURNS integer IMMUTABLE LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.3); RETURN \$1; END';
CREATE INDEX ON t (slow(v));
SQL
$holder->query(q{SET statement_timeout = '100ms'});
TestpoolCluster::is_error($holder->try_query(q{SELECT testpool.finalize('slow')})->{error}, '57014', 'a finalize can time out');
$holder->query('RESET statement_timeout');
is($holder->query(q{SELECT testpool.finalize('slow')}), '', '… and goes on: the next one waits for its end');
can_be_acquired('slow', '… which is well');
is($node->query(q{SELECT failures FROM testpool.stats WHERE hash = 'slow'}), 0, '… without a failure');

# --- roles ----------------------------------------------------------------------------------------

$node->query(<<SQL);
CREATE ROLE passing LOGIN;
GRANT USAGE ON SCHEMA testpool TO passing;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA testpool TO passing;
SQL
my $passing = $node->session(user => 'passing');
$template = $passing->query(q{SELECT testpool.init_template('theirs')});
$node->query('CREATE TABLE t AS SELECT 1 AS v', database => $template);
$passing->query(q{SELECT testpool.finalize('theirs')});
$node->settle;
$leased = $passing->query(q{SELECT testpool.acquire('app')});
$node->query('REASSIGN OWNED BY passing TO CURRENT_USER; DROP OWNED BY passing; DROP ROLE passing');
is($node->query("SELECT role FROM testpool.databases WHERE database = '$leased'") =~ /unknown/, 1,
    'a lease outlives its role, and says so');
$node->query("SELECT testpool.release('$leased')");
can_be_acquired('theirs', 'and so does a template');
$node->query(q{SELECT testpool.discard('theirs')});
$node->settle;
$passing->quit;

# --- rows -----------------------------------------------------------------------------------------

my @lost = clones('app');
$node->query(q{DELETE FROM testpool.database WHERE template = (SELECT id FROM testpool.template WHERE hash = 'app')});
$node->fails_with('XX001', q{SELECT testpool.acquire('app')}, 'rows that somebody deleted are missed',
    message => qr/changed by someone else/, hint => qr/Try again/);
can_be_acquired('app', 'and the next one gets a clone');
$node->query("DROP DATABASE IF EXISTS $_") for @lost;    # nobody knows these any more

$_->quit for $holder;
$node->finish;
