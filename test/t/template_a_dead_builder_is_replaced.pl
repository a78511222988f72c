# A claim ends once its session is gone and nobody has been in the half-built database for the
# grace: the database is dropped, and who waits for the template becomes its builder.
use v5.20;
use warnings FATAL => 'all';

use PostgreSQL::Test::Utils;
use Test::More;
use TestpoolCluster;

my $node = TestpoolCluster->begin('builder', conf => <<CONF);
testpool.pool_size = 1
testpool.lease_grace = '2s'
CONF
$node->build_clock;

my %death = (
    'whose client is killed'  => sub { $_[0]->kill_client },
    'whose server is ended'   => sub { $node->query("SELECT pg_terminate_backend($_[0]{pid})") },
    'that just leaves'        => sub { $_[0]->quit });

for my $how (sort keys %death)
{
    my ($builder, $heir) = $node->sessions(2);
    my $half_built = $builder->query("SELECT testpool.init_template('$how')");
    $node->query('CREATE TABLE half_built ()', database => $half_built);
    $heir->send("SELECT testpool.init_template('$how')");
    $node->wait_until_waiting($heir);

    my $died_at = $node->now;
    $death{$how}->($builder);
    my $fresh = $heir->result->{out};
    like($fresh, qr/^testpool_/, "a builder $how is replaced by the session that waits");
    isnt($fresh, $half_built, "the successor of one $how builds in another database");
    is($node->query(q{SELECT to_regclass('half_built') IS NULL}, database => $fresh),
        't', "the successor of one $how begins with an empty database");
    is( $node->query(<<SQL), 't', "one $how was given its grace");
SELECT claimed_at - timestamptz '$died_at' >= interval '2 s'
  FROM testpool.templates WHERE hash = '$how' AND state = 'building'
SQL
    $node->becomes_true(
        "SELECT NOT EXISTS (SELECT FROM pg_database WHERE datname = '$half_built')",
        "the half-built database of one $how is dropped");
    $heir->query("SELECT testpool.finalize('$how')");
    $heir->quit;
}

# --- a claim lives as long as somebody is in the database ---------------------------------------

my $database = $node->query(q{SELECT testpool.init_template('script')});
my $migration = $node->session(database => $database);
$node->pass_a_grace;
$node->pass_a_grace;
is($node->query(q{SELECT state FROM testpool.templates WHERE hash = 'script'}),
    'building', 'the claim outlives its session while a migration runs in the database');
$migration->query('CREATE TABLE t AS SELECT 1 AS v');
$migration->quit;
$node->query(q{SELECT testpool.finalize('script')});
my $clone = $node->query(q{SELECT testpool.acquire('script')});
is($node->query('SELECT v FROM t', database => $clone),
    1, 'a shell script builds with one psql after the other');

# --- a claim that nobody heard of ---------------------------------------------------------------

my ($builder) = $node->sessions(1);
is($builder->try_query(<<SQL)->{error}{sqlstate}, '57014', 'a claim can be cancelled');
SET statement_timeout = '1ms'; SELECT testpool.init_template('unheard')
SQL
$builder->query('RESET statement_timeout');
$database = $builder->query(q{SELECT testpool.init_template('unheard')});
like($database, qr/^testpool_/, 'who asks again after a cancelled claim builds');
$builder->query(q{SELECT testpool.finalize('unheard')});
$builder->quit;

# --- acquire waits for the successor ------------------------------------------------------------

($builder, my $test) = $node->sessions(2);
$builder->query(q{SELECT testpool.init_template('inherited')});
$test->send(q{SELECT testpool.acquire('inherited')});
my ($heir) = $node->sessions(1);
$heir->send(q{SELECT testpool.init_template('inherited')});
$node->wait_until_waiting($test, $heir);
$builder->kill_client;
$database = $heir->result->{out};
$node->query('CREATE TABLE t AS SELECT 2 AS v', database => $database);
$heir->query(q{SELECT testpool.finalize('inherited')});
$clone = $test->result->{out};
is($node->query('SELECT v FROM t', database => $clone),
    2, 'an acquire that waits for a dead builder gets the clone of its successor');

$_->quit for $test, $heir;
$node->finish;
