# Databases are recognised by what testpool itself recorded, never by their names: a foreign database
# that is called like one of testpool's survives everything, and new ones step around it.
use v5.20;
use warnings FATAL => 'all';

use PostgreSQL::Test::Utils;
use Test::More;
use TestpoolCluster;

my $node = TestpoolCluster->begin('foreign', conf => <<CONF);
testpool.workers = 1
testpool.lease_grace = '2s'
CONF

# Names that testpool would give to its next databases, and others like them.
my @foreign = map { "testpool_template_$_" } 1 .. 3;
for my $template (1 .. 4) { push @foreign, "testpool_${template}_$_" for 1 .. 4; }
push @foreign, 'testpool_', 'testpool_app';
for my $name (@foreign)
{
    $node->query("CREATE DATABASE $name");
    $node->query('CREATE TABLE precious AS SELECT 1 AS v', database => $name);
}
my %oid = map { $_ => $node->oid_of($_) } @foreign;

sub foreign_is_whole
{
    my ($name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my %found = map { $_ => $node->oid_of($_) } @foreign;
    is_deeply(\%found, \%oid, "$name: the foreign databases are there");
}

# --- the flow steps around them -----------------------------------------------------------------

$node->build('app', 'CREATE TABLE t ()');
my @leased = split /\n/,
  $node->query(q{SELECT testpool.acquire('app') FROM generate_series(1, 4)});
ok(!(grep { $oid{$_} } @leased), 'clones have other names than foreign databases');
is(scalar(keys %{ { map { $_ => 1 } @leased } }), 4, 'and names of their own');
for my $verb (qw(release recreate keep))
{
    $node->fails_with('42704', "SELECT testpool.$verb('testpool_1_1')",
        "$verb does not know a foreign database, whatever its name");
}
$node->query("SELECT testpool.release('$leased[0]')");
$node->query("SELECT testpool.recreate('$leased[1]')");
$node->query(q{SELECT testpool.discard('app')});
$node->settle;
foreign_is_whole('after release, recreate and discard');

# --- a foreign database takes the name while testpool creates -----------------------------------

$node->build('next', 'CREATE TABLE t ()');
$node->settle;
my ($worker)  = $node->pids_of('worker');
my ($waiting) = $node->sessions(1);
$node->becomes_true(
    "SELECT state = 'idle' AND wait_event_type = 'Extension' FROM pg_stat_activity WHERE pid = $worker",
    'the worker sleeps');
kill 'STOP', $worker;    # it cannot create what the launcher asks for
$waiting->send(q{SELECT testpool.acquire('next') FROM generate_series(1, 3)});
$node->becomes_true(q{SELECT EXISTS (SELECT FROM testpool.databases WHERE state = 'cloning')},
    'a clone is about to be created');
my $stolen = $node->query(q{SELECT database FROM testpool.databases WHERE state = 'cloning'});
$node->query("CREATE DATABASE $stolen");
push @foreign, $stolen;
$oid{$stolen} = $node->oid_of($stolen);
kill 'CONT', $worker;
my $got = $waiting->result;
is(scalar(grep { $_ ne $stolen } split /\n/, $got->{out}),
    3, 'somebody takes the name of a clone before it is created: the acquire gets another clone');
$node->settle;
foreign_is_whole('after the clone has failed');

# --- the holder drops its database and creates one of the same name -----------------------------

my $reused = $waiting->query(q{SELECT testpool.acquire('next')});
$node->query("DROP DATABASE $reused");
$node->query("CREATE DATABASE $reused");
push @foreign, $reused;
$oid{$reused} = $node->oid_of($reused);
isnt($waiting->try_query("SELECT testpool.recreate('$reused')")->{error},
    undef, 'a holder has put a database of its own in the place of the leased one: recreate fails');
$waiting->query("SELECT testpool.release('$reused')");
$node->settle;
foreign_is_whole('after recreate and release');

# --- leases end, processes crash, everything is reset -------------------------------------------

$waiting->query(q{SELECT testpool.acquire('next')});
$waiting->kill_client;
$node->becomes_true(q{SELECT NOT EXISTS (SELECT FROM testpool.databases WHERE state = 'leased')},
    'leases of dead holders end');
$node->stop('immediate');
$node->start;
$node->settle;
foreign_is_whole('after abandoned leases and a crash');
$node->query('SELECT testpool.reset()');
foreign_is_whole('after reset()');
is($node->query('SELECT v FROM precious', database => $foreign[0]), 1, 'with their content');

$node->finish(foreign => \@foreign);
