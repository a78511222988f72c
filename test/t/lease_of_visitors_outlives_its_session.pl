# With testpool.visit_grace a lease is not its session's: it lasts while somebody is in the database, a
# grace longer, and longer until the first client has come; and it may be begun anew.
use v5.20;
use warnings FATAL => 'all';

use Test::More;
use TestpoolCluster;
use TestpoolSession;

# The grace of ordinary leases is 1 h here: what ends by itself ends by the session's own.
my $node = TestpoolCluster->begin('visitors', conf => q{log_min_messages = debug1});
$node->build('app', 'CREATE TABLE t (v int)');

sub state_of
{
    my ($database) = @_;
    return $node->query("SELECT state FROM testpool.databases WHERE database = '$database'");
}

sub session_with
{
    my ($visit, $arrival) = @_;
    my $session = $node->session;
    $session->query("SET testpool.visit_grace = '$visit'");
    $session->query("SET testpool.arrival_grace = '$arrival'");
    return $session;
}

# A lease that comes and goes: the launcher has looked at all others meanwhile.
sub pass_a_moment
{
    my $moment = session_with('0', '0')->query(q{SELECT testpool.acquire('app')});
    $node->wait_for_lease_end($moment);
}

my $brief = session_with('0', '1h');
my $database = $brief->query(q{SELECT testpool.acquire('app')});
my $abandoned = $brief->query(q{SELECT testpool.acquire('app')});

pass_a_moment();
is(state_of($database), 'leased', 'until somebody has been there, the lease waits for the arrival');

my $inside = $node->session(database => $database);
$brief->quit;
pass_a_moment();
is(state_of($database), 'leased', 'while somebody is in the database the lease lasts, its session or none');

$inside->quit;
$node->wait_for_lease_end($database);
pass('when the last has left, and the grace is over, so is the lease');
is(state_of($abandoned), 'leased', 'one that still waits for its first client goes on without its session');

# --- begun anew ----------------------------------------------------------------------------------

my $other = session_with('0', '0');
$other->query("SELECT testpool.renew('$abandoned')");
$node->wait_for_lease_end($abandoned);
pass('renew gives it the graces of the session that calls it');

my $kept_by = $node->session;
$database = session_with('1h', '1h')->query(q{SELECT testpool.acquire('app')});
$kept_by->query("SELECT testpool.renew('$database')");
is($node->query("SELECT pid FROM testpool.databases WHERE database = '$database'"),
    $kept_by->{pid}, 'a session without such settings makes it its own');
$kept_by->query('SELECT testpool.release()');
$node->wait_for_lease_end($database);

$node->settle;
my ($ready) = split /\n/, $node->query(q{SELECT database FROM testpool.databases WHERE state = 'ready'});
$node->fails_with('55000', "SELECT testpool.renew('$ready')", 'what is not leased has nothing to renew');

# --- no lease is lost ------------------------------------------------------------------------------

my $long = session_with('1h', '0');
$database = $long->query(q{SELECT testpool.acquire('app')});
$node->query('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = \'testpool launcher\'');
$node->query('SELECT 1', database => $database);
$node->becomes_true(q{SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'testpool launcher'},
    'the launcher comes back');
$node->error_of(q{SELECT testpool.acquire('no such template')});
is(state_of($database), 'leased', 'and knows the grace of a lease as before');

# --- a claim ---------------------------------------------------------------------------------------

my $claimed = session_with('0', '1h');
my $template = $claimed->query(q{SELECT testpool.init_template('built by others')});
$claimed->quit;
pass_a_moment();
$node->query('CREATE TABLE t (v int)', database => $template);
$node->becomes_true(q{SELECT state = 'discarded' FROM testpool.templates WHERE hash = 'built by others'},
    'a claim of visitors ends when the last builder has left');

is($node->query('SELECT sum(abandoned) FROM testpool.stats'), 0, 'none of these counts as abandoned');
$long->query("SELECT testpool.release('$database')");
$node->finish;
