# Sealing again is stopped at each of its named points: the process is killed, is terminated, or fails. The
# template is as it was sealed, or is sealed anew; and it is tried once more, until a used clone is rewound to what it is.
use v5.20;
use experimental 'signatures';
use warnings FATAL => 'all';

use RewindTest;
use StopPoint;
use Test::More;
use TestpoolCluster;

my $t = RewindTest->begin('again', conf => <<'CONF');
autovacuum_freeze_max_age = 100000
testpool.lease_grace = '1s'
CONF
my $node = $t->node;

# What a clone that is recreated is like.
sub is_whole ($database, $what)
{
    $t->use_database($database, 'UPDATE part SET b = b || a', 'TRUNCATE wide', 'CREATE TABLE mine AS SELECT 1 AS a');
    $node->query("SELECT testpool.recreate('$database')");
    is($node->query('SELECT count(*), (SELECT count(*) FROM wide), count(*) FILTER (WHERE b = $$p$$) FROM part', database => $database),
        '200|20|200', "$what: its contents are the template's");
    is($t->amcheck_complaints($database), '', "$what: amcheck finds no fault");
    return $t->way_of($database);
}

sub stops ($point, $how)
{
    my $what = "at reseal-$point, $how";
    my ($action, $do) = @{ $ways_to_stop{$how} };
    my $log = -s $node->logfile;
    my $sealed_at = $node->query(q{SELECT sealed_at FROM testpool.template WHERE state = 'finalized'});
    my $holder = $node->session;
    my $database = $holder->query(q{SELECT testpool.acquire('app')});
    stop_at($node, "reseal-$point", $action);
    $node->query(<<'SQL');
CREATE TEMPORARY TABLE spent ();
DO $$ BEGIN FOR i IN 1 .. 85000 LOOP BEGIN INSERT INTO spent DEFAULT VALUES; EXCEPTION WHEN division_by_zero THEN END; END LOOP; END $$;
SELECT pg_reload_conf();
SQL
    wait_until_stopped($node);
    $do->($node, $log);
    let_go($node);
    if ($action eq 'kill')
    {
        $holder->quit;
        $holder = $node->session;
        $database = $holder->query(q{SELECT testpool.acquire('app')});
    }
    is_whole($database, "$what, at once");
    $node->becomes_true("SELECT sealed_at > '$sealed_at' AND drift IS NULL AND age(frozen_xid) < 50000 FROM testpool.template WHERE state = 'finalized'",
        "$what: it is sealed again in the end");
    is_whole($database, "$what, after");
    # What was made before has gone by then.
    is(is_whole($database, "$what, once more"), 'rewind', "$what: a clone is rewound");
    is($t->file_differences($database), '', "$what: … and equals the template");
    $holder->quit;
    $node->query(q{SELECT testpool.release(database) FROM testpool.databases WHERE state = 'leased'});
    $node->settle;
}

stops($_, 'its process is killed') for qw(begun vacuumed done);
stops('vacuumed', 'it fails');
stops('done', 'its process is terminated');

$t->finish;
