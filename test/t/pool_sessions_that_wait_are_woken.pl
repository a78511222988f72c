# Whoever waits for a template or a clone is woken when it is there; no wake-up is lost.
use v5.20;
use warnings FATAL => 'all';

use PostgreSQL::Test::Utils;
use Test::More;
use TestpoolCluster;

# No clone is ready before somebody asks for it.
my $node = TestpoolCluster->begin('woken', conf => <<CONF);
testpool.pool_size = 0
testpool.vacuum_templates = off
CONF

my @waiting = $node->sessions(4);
my ($builder) = $node->sessions(1);

# --- an acquire that waits for a clone ----------------------------------------------------------

$node->build('app');
for my $round (1 .. 5)
{
    $_->send(q{SELECT testpool.acquire('app', '30 s')}) for @waiting;
    my @got = map { $_->result->{out} } @waiting;
    # A bound that holds on a machine under load, and not if anybody polls with long naps.
    is( $node->query(<<SQL), '4|t', "round $round: each clone is handed out as soon as it is ready");
SELECT count(*), bool_and(leased_at - ready_at < interval '1 s')
  FROM testpool.databases WHERE state = 'leased' AND hash = 'app'
SQL
    $_->query('SELECT testpool.release()') for @waiting;
    $node->becomes_true(q{SELECT NOT EXISTS (SELECT FROM testpool.databases WHERE state = 'leased')},
        "round $round: and given back");
}

# --- finalize against acquires that come at the same moment -------------------------------------

my ($served, @failed) = (0);
for my $race (1 .. 125)
{
    my $hash = "race $race";
    $builder->query("SELECT testpool.init_template('$hash')");
    my @requests = map { my $session = $_; sub {
        $session->send("SELECT testpool.acquire('$hash', '30 s')") } } @waiting;
    # The finalize is sent before, among and after them in turn.
    splice @requests, $race % 5, 0, sub { $builder->send("SELECT testpool.finalize('$hash')") };
    $_->() for @requests;
    for my $session ($builder, @waiting)
    {
        my $result = $session->result;
        push @failed, "$hash: $result->{err}" if $result->{error};
    }
    $served += $node->query(
        "SELECT count(*) FROM testpool.databases WHERE hash = '$hash' AND state = 'leased'");
    $_->query('SELECT testpool.release()') for @waiting;
    $builder->query("SELECT testpool.discard('$hash')");
}
is($served, 500, '125 times finalize races 4 acquires: each acquire gets a clone');
is("@failed", '', 'and none of them fails');

# --- an acquire that waits for another's release ------------------------------------------------

$node->query($_) for 'ALTER SYSTEM SET testpool.pool_max = 1', 'SELECT pg_reload_conf()';
$node->build('scarce');
$waiting[0]->query(q{SELECT testpool.acquire('scarce', '30 s')});
$_->send(q{SELECT testpool.acquire('scarce', '60 s'); SELECT testpool.release()})
  for @waiting[ 1 .. 3 ];
$node->wait_until_waiting(@waiting[ 1 .. 3 ]);
$waiting[0]->query('SELECT testpool.release()');
is(scalar(grep { $_->result->{error} } @waiting[ 1 .. 3 ]),
    0, 'a queue for the only database of a pool is served one after the other');

$_->quit for @waiting, $builder;
$node->finish;
