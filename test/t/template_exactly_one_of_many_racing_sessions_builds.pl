# Many processes call init_template for one hash at once: one of them builds, the others wait and
# find the template ready, or hear at once why it will not be.
use v5.20;
use warnings FATAL => 'all';

use PostgreSQL::Test::Utils;
use Test::More;
use TestpoolCluster;

my $node = TestpoolCluster->begin('races', conf => 'testpool.pool_size = 1');

sub init { return "SELECT coalesce(testpool.init_template('$_[0]'), 'ready')"; }

# The first of the sessions that has its answer, and the others.
sub first_answered
{
    my @sessions = @_;
    my $first = TestpoolCluster::wait_until('a builder',
        sub { (grep { $_->answered } @sessions)[0] });
    return ($first, grep { $_ != $first } @sessions);
}

# --- twelve sessions, one hash ------------------------------------------------------------------

my @racing = $node->sessions(12);
$_->send(init('one')) for @racing;
my ($builder, @others) = first_answered(@racing);
my $database = $builder->result->{out};
like($database, qr/^testpool_/, 'one session is told to build');
$node->wait_until_waiting(@others);
is(scalar(grep { $_->answered } @others), 0, 'the eleven others wait while it builds');

is($builder->query(init('one')), $database, 'the builder that asks again is told the same database');

$node->query('CREATE TABLE t AS SELECT 1 AS v', database => $database);
$builder->query(q{SELECT testpool.finalize('one')});
is_deeply(
    [ map { $_->result->{out} } @others ],
    [ ('ready') x 11 ],
    'after finalize all the others find it ready');
is($builder->query(init('one')), 'ready', 'and so does whoever comes later');
is($node->query(q{SELECT count(*) FROM testpool.template WHERE hash = 'one'}),
    1, 'one build was claimed');

# --- twelve sessions, four hashes ---------------------------------------------------------------

my %of_hash;
push @{ $of_hash{ 'many ' . $_ % 4 } }, $racing[$_] for 0 .. $#racing;
for my $hash (sort keys %of_hash) { $_->send(init($hash)) for @{ $of_hash{$hash} }; }
my %builds;
for my $hash (sort keys %of_hash)
{
    my ($one, @rest) = first_answered(@{ $of_hash{$hash} });
    $builds{$hash} = $one->result->{out};
    $one->query("SELECT testpool.finalize('$hash')");
    is_deeply([ map { $_->result->{out} } @rest ],
        [qw(ready ready)], "one builds \"$hash\", two wait for it");
}
my %distinct = map { $_ => 1 } values %builds;
is(keys %distinct, 4, 'different hashes are built in different databases');

# --- a builder that takes too long --------------------------------------------------------------

$database = $builder->query(init('slow'));
my $impatient = $others[0];
$impatient->query(q{SET testpool.template_timeout = '200ms'});
TestpoolCluster::is_error(
    $impatient->try_query(init('slow'))->{error}, '55P03',
    'template_timeout ends the wait, and tells who builds since when',
    message => qr/"slow" is still being built/,
    detail  => qr/Process $builder->{pid} \(.*"$database" since \d{4}-/);
is($builder->query(init('slow')), $database, 'the build goes on');

# --- cancelled while it waits -------------------------------------------------------------------

$impatient = $others[1];
$impatient->send(init('slow'));
$node->wait_until_waiting($impatient);
$node->query("SELECT pg_cancel_backend($impatient->{pid})");
is($impatient->result->{error}{sqlstate}, '57014', 'a wait for a build can be cancelled');
$impatient->query(q{SET statement_timeout = '200ms'});
is($impatient->try_query(init('slow'))->{error}{sqlstate},
    '57014', 'and ends at statement_timeout');

# --- discarded while others wait ----------------------------------------------------------------

$node->query('CREATE TABLE left_by_the_first_build ()', database => $database);
my @waiting = @others[ 2 .. 7 ];
$_->send(init('slow')) for @waiting[ 0 .. 2 ];
$_->send(q{SELECT testpool.acquire('slow')}) for @waiting[ 3, 4 ];
$waiting[5]->send(q{SELECT testpool.prewarm('slow', 1)});
$node->wait_until_waiting(@waiting);
$node->query(q{SELECT testpool.discard('slow', 'migration 7 is broken')});
TestpoolCluster::is_error(
    $_->result->{error}, '55000', 'whoever waits for a discarded build hears the reason',
    message => qr/"slow" was discarded/,
    detail  => qr/migration 7 is broken/) for @waiting;
TestpoolCluster::is_error(
    $node->error_of(q{SELECT testpool.acquire('slow')}), '55000',
    'acquire of a discarded template tells the reason', detail => qr/migration 7 is broken/);

my $again = $waiting[0]->query(init('slow'));
isnt($again, $database, 'the next init_template builds in another database');
is($node->query(q{SELECT to_regclass('left_by_the_first_build') IS NULL}, database => $again),
    't', 'which is empty');
$waiting[0]->query(q{SELECT testpool.finalize('slow')});
$node->becomes_true(
    "SELECT NOT EXISTS (SELECT FROM pg_database WHERE datname = '$database')",
    'the discarded database is dropped');

$_->quit for @racing;
$node->finish;
