# A rewind is stopped at each of its named points: its process is killed, is terminated, fails, or
# the postmaster is killed. The server recovers, whatever is handed out afterwards equals the
# template, no database is lost, and a rewind that failed is a full clone that says why.
use v5.20;
use experimental 'signatures';
use warnings FATAL => 'all';

use PostgreSQL::Test::Utils;
use RewindTest;
use StopPoint;
use Test::More;
use TestpoolCluster;

# A crash may forget a release; then the lease ends because nobody holds it.
my $t = RewindTest->begin('points', conf => "testpool.lease_grace = '1s'\n");
my $node = $t->node;

my %stop = (
    %ways_to_stop,
    'its process is terminated' => [ wait => sub ($node, $log) {
        my ($worker) = $node->pids_of('worker');
        $ways_to_stop{'its process is terminated'}[1]->($node, $log);
        is($node->query("SELECT count(*) FROM pg_locks WHERE pid = $worker"), 0, 'its locks end with it');
    } ],
    'the postmaster is killed' => [ wait => sub ($node, $log) {
        $node->kill_postmaster;
        let_go($node);
        $node->start_again;
    } ]);

sub nothing_is_lost ($what)
{
    is($node->query(<<'SQL'), '', "$what: every database is known");
SELECT datname FROM pg_database WHERE starts_with(datname, 'testpool_')
   AND oid NOT IN (SELECT oid FROM testpool.database UNION SELECT oid FROM testpool.template)
SQL
    is($node->query('SELECT string_agg(DISTINCT state::text, $$ $$) FROM testpool.databases'), 'ready',
        "$what: every clone is ready again");
}

sub set ($setting, $value)
{
    $node->query($_) for "ALTER SYSTEM SET $setting = '$value'", 'SELECT pg_reload_conf()';
    $node->becomes_true("SELECT current_setting('$setting') = '$value'", "$setting is $value");
}

sub stops ($point, $how, @uses)
{
    my $what = "at $point, $how";
    my ($action, $do) = @{ $stop{$how} };
    my $log = -s $node->logfile;
    my $holder = $node->session;
    my $used = $holder->query(q{SELECT testpool.acquire('app')});
    $t->use_database($used, @uses);
    stop_at($node, $point, $action);
    $holder->query("SELECT testpool.release('$used')");
    wait_until_stopped($node);
    $do->($node, $log);
    let_go($node);

    $holder->quit;

    $holder = $node->session;
    my $next = $holder->query(q{SELECT testpool.acquire('app')});
    isnt($next, $used, "$what: a name is not handed out twice");
    # A clone that is replayed lacks what PostgreSQL does not log of it.
    $t->equals($next, $what, with => [ $how =~ /killed/ ? '--replayed' : () ]);
    like(slurp_file($node->logfile, $log), qr/cloned again, not rewound: point $point/,
        "$what: the log says so") if $action eq 'error' && $point =~ /^rewind/;
    $holder->query("SELECT testpool.release('$next')");
    $holder->quit;
    $node->settle;
    nothing_is_lost($what);
}

my @uses = ('TRUNCATE big, wide', 'UPDATE part SET b = b || a', 'CREATE TABLE mine AS SELECT 1 AS a',
    'INSERT INTO bare SELECT generate_series(1, 5000)');
for my $how (sort keys %stop)
{
    stops("rewind-$_", $how, @uses)
      for qw(closed looked buried page-put-back put-back renamed committed truncated flushed stamped);
    # What cannot be rewound is cloned, in one way or the other.
    set('testpool.clone_strategy' => $how =~ /killed/ ? 'file_copy' : 'wal_log');
    stops("clone-$_", $how, 'DROP TABLE big CASCADE', sub ($database) { $node->move_away($database) })
      for qw(created flushed);
}

$t->finish;
