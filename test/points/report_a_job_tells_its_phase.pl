# testpool.progress shows which phase a job is in: each is stopped at a named point within it.
use v5.20;
use warnings FATAL => 'all';
use experimental 'signatures';

use StopPoint;
use Test::More;
use TestpoolCluster;

my $node = TestpoolCluster->begin('phases', conf => "testpool.pool_size = 1\ntestpool.workers = 1\ntestpool.max_drop_debt = 0\n");

# Does what starts a job, and looks at it when it has come to the point.
sub shows ($point, $task, $phase, $start)
{
    stop_at($node, $point, 'wait');
    $start->();
    wait_until_stopped($node);
    is($node->query(q{SELECT task, phase FROM testpool.progress}), "$task|$phase", "$point: $phase");
    my $done = $node->query('SELECT bytes_done FROM testpool.progress');
    let_go($node);
    return $done;
}

my $holder = $node->session;
my $template = $holder->query(q{SELECT testpool.init_template('app')});
$node->query('CREATE TABLE small AS SELECT 1 AS a; CREATE TABLE large AS SELECT generate_series(1, 10000) AS a', database => $template);
shows('seal-closed', 'seal', 'ending sessions', sub { $holder->send(q{SELECT testpool.finalize('app')}) });
$holder->result;
$node->settle;

sub use_one (@statements)
{
    my $database = $holder->query(q{SELECT testpool.acquire('app')});
    $node->settle;
    $node->query($_, database => $database) for @statements;
    return sub { $holder->query('SELECT testpool.release()') };
}

sub rewind_shows ($point, $phase)
{
    return shows("rewind-$point", 'rewind', $phase, use_one('TRUNCATE small', 'UPDATE large SET a = -a'));
}

rewind_shows('closed', 'ending sessions');
is(rewind_shows('looked', 'looking for changes'), 0, 'nothing is put back yet');
rewind_shows('buried', 'waiting for a checkpoint');
rewind_shows('page-put-back', 'putting pages back');
cmp_ok(rewind_shows('put-back', 'putting pages back'), '>=', 40 * 8192, 'how much was put back is told');
cmp_ok(rewind_shows('truncated', 'writing files'), '>=', 40 * 8192, 'and stays so');
rewind_shows('flushed', 'writing files');
rewind_shows('stamped', 'writing files');
$node->settle;

for ([ 'created', 'copying files' ], [ 'flushed', 'writing files' ])
{
    my ($point, $phase) = @$_;
    my $wanted = $node->query('SELECT ready + 1 FROM testpool.templates');
    shows("clone-$point", 'create', $phase, sub { $holder->send("SELECT testpool.prewarm('app', $wanted)") });
    $holder->result;
}
shows('drop-emptied', 'drop', 'ending sessions', sub { $node->query(q{SELECT testpool.discard('app')}) });
$node->settle;

$holder->quit;
$node->finish;
