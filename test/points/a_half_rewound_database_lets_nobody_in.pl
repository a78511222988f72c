# A rewind that ends in the middle leaves pages of both states behind. Nobody sees them: no client, no superuser,
# no autovacuum, after a crash of the server either. A clone takes the place, under the same name if the lease
# goes on.
use v5.20;
use experimental 'signatures';
use warnings FATAL => 'all';

use PostgreSQL::Test::Utils;
use RewindTest;
use Test::More;
use TestpoolCluster;

my $t = RewindTest->begin('half');
my $node = $t->node;
my $order = $node->data_dir . '/testpool_point';
my $reached = "$order.reached";

sub stop_at ($point, $action)
{
    append_to_file("$order.new", "$point $action\n");
    rename "$order.new", $order or die $!;
}
sub wait_until_reached () { TestpoolCluster::wait_until('a process passes the point', sub { -e $reached }) }

# The error of a client that would enter, whatever it is called now.
sub refusal ($oid)
{
    my $name = $node->query("SELECT datname FROM pg_database WHERE oid = $oid");
    return 'it is gone' if $name eq '';
    $node->psql('postgres', 'SELECT 1', connstr => $node->connection(database => $name), stderr => \my $error);
    return $error;
}
my $shut = qr/invalid database|not currently accepting connections|does not exist|it is gone/;

for my $way ('its process is terminated', 'the server crashes')
{
    my $holder = $node->session;
    my $database = $holder->query(q{SELECT testpool.acquire('app')});
    my $oid = $node->oid_of($database);
    $t->use_database($database, 'UPDATE part SET b = b || a', 'DELETE FROM big WHERE id % 2 = 0');
    my $log = -s $node->logfile;
    stop_at('rewind-page-put-back', 'wait');
    my $released = $node->session;
    $released->send("SELECT testpool.recreate('$database')");
    wait_until_reached();
    if ($way =~ /crash/)
    {
        $node->kill_postmaster;
        unlink $reached;
        $node->start_again;
    }
    else
    {
        my ($worker) = $node->pids_of('worker');
        stop_at('drop-emptied', 'wait');  # the database stays as it is until somebody has looked
        $node->query("SELECT pg_terminate_backend($worker)");
        TestpoolCluster::wait_until('the worker ends', sub { !kill 0, $worker });
        unlink $reached;
        wait_until_reached();
    }
    like(refusal($oid), $shut, "$way: a client is refused");
    is($node->query("SELECT datconnlimit FROM pg_database WHERE oid = $oid") // '', $way =~ /crash/ ? '' : -2,
        "$way: … and so is everybody else") if $way !~ /crash/;
    unlink $reached;
    if ($way !~ /crash/)
    {
        is($released->result->{error}, undef, "$way: recreate makes a clone instead");
        is($node->query('SELECT count(*) FROM big', database => $database), 5000, "$way: … under the same name");
        isnt($node->oid_of($database), $oid, "$way: … which is another database");
        $holder->query("SELECT testpool.release('$database')");
    }
    $_->quit for $holder, $released;
    # After the crash the lease goes on, in a clone, until it is released for its holder.
    $node->poll_query_until('postgres', q{SELECT count(*) = 0 FROM testpool.databases WHERE state IN ('cloning', 'recycling')})
      or die 'it is not cloned again';
    $node->query(q{SELECT testpool.release(database) FROM testpool.databases WHERE state = 'leased'});
    $node->settle;
    my $next = $t->acquire;
    $t->equals($next, "$way: the next");
    $t->give_back($next);
    unlike(slurp_file($node->logfile, $log), qr/could not open file|invalid page/, "$way: nobody met what was halfway");
}

$t->finish;
