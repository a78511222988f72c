# A live rewind is stopped at each of its named points: its process is killed, is terminated, or
# fails. Whoever is in the database, waits in its gate or connects sees it as it was before, or as its
# template is, or is ended; and a clone takes its place under the same name.
use v5.20;
use experimental 'signatures';
use warnings FATAL => 'all';

use PostgreSQL::Test::Utils;
use RewindTest;
use StopPoint;
use Test::More;
use TestpoolCluster;

my $t = RewindTest->begin('live', conf => "testpool.lease_grace = '1h'\ntestpool.rewind_timeout = '1h'\n", amcheck => 0);
my $node = $t->node;

my $look = q{SELECT (SELECT count(*) FROM big), (SELECT count(*) FROM wide), (SELECT count(*) FROM part WHERE b <> 'p'), to_regclass('mine') IS NULL};
my $before = '5020|0|200|f';
my $after = '5000|20|0|t';

sub saw ($result)
{
    return 'ended' if $result->{ended} || $result->{out} eq '' && !$result->{error};
    return 'error ' . $result->{error}{sqlstate} if $result->{error};
    return $result->{out};
}

sub stops ($point, $how)
{
    my $what = "at $point, $how";
    my ($action, $do) = @{ $ways_to_stop{$how} };
    my $log = -s $node->logfile;
    my $holder = $node->session;
    my $database = $holder->query(q{SELECT testpool.acquire('app')});
    my @inside = $node->sessions(3, database => $database);
    $inside[0]->query("TRUNCATE wide; UPDATE part SET b = b || a; CREATE TABLE mine AS SELECT 1 AS a; INSERT INTO big (t) SELECT 'x' FROM generate_series(1, 20)");
    is($_->query($look), $before, "$what: used") for @inside;
    stop_at($node, $point, $action);
    my $home = $node->session->send("SELECT testpool.rewind('$database')");
    wait_until_stopped($node);
    $inside[1]->send($look);
    $do->($node, $log);
    let_go($node);
    my @seen = map { saw($_) } $inside[1]->result, $inside[0]->try_query($look), $inside[2]->try_query($look);
    is(join(' ', grep { $_ ne $after && $_ ne 'ended' && $_ ne $before } @seen), '', "$what: nobody sees anything halfway (@seen)");
    my $rewound = $home->result;
    is($rewound->{error}, undef, "$what: the caller hears that it is done") unless $action eq 'kill';
    $node->becomes_true("SELECT count(*) = 1 FROM testpool.databases WHERE database = '$database' AND state = 'leased'", "$what: the lease goes on");
    # What was not on disk yet a crash forgets, the rewind itself as well.
    my $now = $node->query($look, database => $database);
    my $forgotten = $action eq 'kill' && $now eq $before;
    is($now, $after, "$what: it is new") unless $forgotten;
    $t->equals($database, $what, with => [ $action eq 'kill' ? '--replayed' : () ]) unless $forgotten;
    like(slurp_file($node->logfile, $log), qr/cloned again, not rewound: point $point/, "$what: the log says why")
      if $action eq 'error';
    eval { $_->quit } for @inside, $home, $holder;
    $node->query("SELECT testpool.release('$database')");
    $node->settle;
}

for my $how (sort keys %ways_to_stop)
{
    stops($_, $how)
      for map { $_ =~ /live/ ? $_ : "rewind-$_" }
      qw(live-shut looked closed-to-all buried page-put-back put-back renamed committed truncated stamped);
}

$t->finish;
