# A pool grows before anybody has to wait: from the rate at which clones are taken and the time that one
# takes to make. When the load is gone it shrinks to its size.
use v5.20;
use warnings FATAL => 'all';
use experimental 'signatures';

use Test::More;
use TestpoolCluster;

# Nothing is rewound, and never is more than one clone leased at once, so only the rate makes it grow.
my $node = TestpoolCluster->begin('growing', conf => <<CONF);
testpool.pool_size = 1
testpool.workers = 4
testpool.recycle = recreate
testpool.shrink_after = '3 s'
CONF
my $template = $node->build('app');
$node->settle;
my ($client, $brake) = $node->sessions(2);

# Whoever holds a lock on a template keeps it from being cloned: a clone takes long, and no CPU.
$brake->send(<<SQL);
DO \$\$ BEGIN LOOP
    COMMENT ON DATABASE $template IS 'busy';
    PERFORM pg_sleep(0.7);
    COMMIT;
END LOOP; END \$\$
SQL

# One test after the other, each when a clone is ready for it.
sub run_a_test ()
{
    $node->poll_query_until('postgres', q{SELECT ready > 0 FROM testpool.templates})
      or die 'no clone is ready: ' . $node->work;
    $client->query(q{SELECT testpool.acquire('app')});
    $client->query('SELECT testpool.release()');
}

my $tests = 0;
TestpoolCluster::wait_until('the pool grows', sub {
    run_a_test();
    $tests++;
    return $node->query('SELECT ready + cloning > 1 FROM testpool.templates') eq 't';
});
$node->becomes_true('SELECT ready > 1 FROM testpool.templates', "after $tests tests more clones are ready than were ever leased");
is($node->query('SELECT acquires, waits, most_leased FROM testpool.stats'), "$tests|0|1", 'and nobody has waited');

$node->query("SELECT pg_cancel_backend($brake->{pid})");
$brake->result;
$node->becomes_true('SELECT ready = 1 FROM testpool.templates', 'when the load is gone the pool shrinks to its size');
$node->becomes_true('SELECT count(*) = 1 FROM testpool.database', 'and the rest is dropped');

$_->quit for $client, $brake;
$node->finish;
