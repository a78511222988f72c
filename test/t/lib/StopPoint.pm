# Named points of the code (src/points.h): the next process of a server that passes one is killed there
# (kill), fails (error), or stands still until it is let go (wait).
package StopPoint;

use v5.20;
use warnings FATAL => 'all';
use experimental 'signatures';

use parent 'Exporter';
use PostgreSQL::Test::Utils;
use TestpoolCluster;

our @EXPORT = qw(stop_at wait_until_stopped let_go %ways_to_stop);

sub order ($node) { return $node->data_dir . '/testpool_point' }

sub stop_at ($node, $point, $action)
{
    my $order = order($node);
    append_to_file("$order.new", "$point $action\n");
    rename "$order.new", $order or die $!;
    return;
}

sub wait_until_stopped ($node)
{
    return TestpoolCluster::wait_until('a process passes the point', sub { -e order($node) . '.reached' });
}

sub let_go ($node) { return unlink order($node) . '.reached' }

# What to order, and what to do then with the server and the place in its log from which on this is told.
our %ways_to_stop = (
    'its process is killed' => [ kill => sub ($node, $log) {
        $node->wait_for_log(qr/database system is ready to accept connections/, $log);
        $node->{killed}{$_} = 1
          for slurp_file($node->logfile, $log) =~ /\(PID (\d+)\) was terminated by signal 9/g;
    } ],
    'it fails' => [ error => sub ($node, $log) { } ],
    'its process is terminated' => [ wait => sub ($node, $log) {
        my ($worker) = $node->pids_of('worker');
        $node->query("SELECT pg_terminate_backend($worker)");
        TestpoolCluster::wait_until('the worker ends', sub { !kill 0, $worker });
    } ]);

1;
