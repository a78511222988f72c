# Who looks at pg_stat_activity or at ps sees what testpool's processes do and what they wait for. Before
# PostgreSQL 17 an extension cannot name what it waits for.
use v5.20;
use warnings FATAL => 'all';
use experimental 'signatures';

use Test::More;
use TestpoolCluster;

my $node = TestpoolCluster->begin('seen', conf => "testpool.pool_size = 1\ntestpool.workers = 1\ntestpool.pool_max = 1\n");
my $names_waits = $node->query(q{SELECT current_setting('server_version_num')::int >= 170000}) eq 't';
my $stopped;    # a server process, while it stands still

END { kill 'CONT', $stopped if $stopped }

sub waits ($pid, $event, $name)
{
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $shown = $names_waits ? $event : 'Extension';
    $node->becomes_true("SELECT (wait_event_type, wait_event) = ('Extension', '$shown') FROM pg_stat_activity WHERE pid = $pid",
        "$name: $shown")
      or diag($node->query("SELECT a FROM pg_stat_activity a WHERE pid = $pid"));
}

sub is_titled ($pid, $title, $name)
{
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $shown = '';
    my $found = eval {
        TestpoolCluster::wait_until('the title', sub { ($shown = `ps -ww -o args= -p $pid`) =~ /\Q$title\E *$/ });
    };
    ok($found, "$name: $title") or diag($shown);
}

my ($launcher) = $node->pids_of('launcher');
my ($worker) = $node->pids_of('worker');
waits($launcher, 'TestpoolLauncherMain', 'a launcher with nothing to do');
waits($worker, 'TestpoolWorkerMain', 'a worker with nothing to do');
is_titled($launcher, 'testpool launcher', 'a launcher');
is_titled($worker, 'testpool worker idle', 'a worker that has not had a job yet');
$node->build('app');
$node->settle;
is_titled($worker, 'testpool worker idle', 'one that has done its jobs');

# --- a session that does not end holds up a rewind ----------------------------------------------------

my ($holder, $other) = $node->sessions(2);
my $clone = $holder->query(q{SELECT testpool.acquire('app')});
$other->send(q{SELECT testpool.acquire('app')});
waits($other->{pid}, 'TestpoolReply', 'a session that waits for a clone');
my $inside = $node->session(database => $clone);
kill 'STOP', $inside->{pid};
$stopped = $inside->{pid};
$holder->query('SELECT testpool.release()');
waits($worker, 'TestpoolSessionEnd', 'a worker that ends sessions');
is_titled($worker, "testpool worker rewinding database $clone", 'and says in which database');
is($node->query("SELECT state, query FROM pg_stat_activity WHERE pid = $worker"), "active|rewinding database $clone",
    'pg_stat_activity says so, too');
kill 'CONT', $inside->{pid};
undef $stopped;
ok($other->result->{out}, 'then it goes on');
waits($worker, 'TestpoolWorkerMain', 'a worker that has done its job');
is($node->query("SELECT state FROM pg_stat_activity WHERE pid = $worker"), 'idle', 'is idle');

$_->quit for $holder, $other, $inside;
$node->finish;
