# A rewind that ends in the middle leaves pages of both states behind. Nobody sees them: no client, no superuser,
# no autovacuum, after a crash of the server either. A clone takes the place, under the same name if the lease
# goes on.
use v5.20;
use experimental 'signatures';
use warnings FATAL => 'all';

use PostgreSQL::Test::Utils;
use RewindTest;
use StopPoint;
use Test::More;
use TestpoolCluster;

my $t = RewindTest->begin('half');
my $node = $t->node;

# The error of a client that would enter, whatever it is called now.
sub refusal ($oid)
{
    my $name = $node->query("SELECT datname FROM pg_database WHERE oid = $oid");
    return 'it is gone' if $name eq '';
    my ($status, $met, $error) =
      $node->psql('postgres', 'SELECT oid FROM pg_database WHERE datname = current_database()',
        connstr => $node->connection(database => $name));
    return $status == 0 && $met != $oid ? 'it is gone' : $error;  # another one has its name by now
}
my $shut = qr/invalid database|not currently accepting connections|does not exist|it is gone/;

for my $way ('its process is terminated', 'the server crashes')
{
    my $holder = $node->session;
    my $database = $holder->query(q{SELECT testpool.acquire('app')});
    my $oid = $node->oid_of($database);
    $t->use_database($database, 'UPDATE part SET b = b || a', 'DELETE FROM big WHERE id % 2 = 0');
    my $log = -s $node->logfile;
    stop_at($node, 'rewind-page-put-back', 'wait');
    my $released = $node->session;
    $released->send("SELECT testpool.recreate('$database')");
    wait_until_stopped($node);
    if ($way =~ /crash/)
    {
        $node->kill_postmaster;
        let_go($node);
        $node->start_again;
    }
    else
    {
        my ($worker) = $node->pids_of('worker');
        stop_at($node, 'drop-emptied', 'wait');  # the database stays as it is until somebody has looked
        $node->query("SELECT pg_terminate_backend($worker)");
        TestpoolCluster::wait_until('the worker ends', sub { !kill 0, $worker });
        let_go($node);
        wait_until_stopped($node);
    }
    like(refusal($oid), $shut, "$way: a client is refused");
    is($node->query("SELECT datconnlimit FROM pg_database WHERE oid = $oid") // '', $way =~ /crash/ ? '' : -2,
        "$way: … and so is everybody else") if $way !~ /crash/;
    let_go($node);
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
