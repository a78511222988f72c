# A clone has many leases, one after another, and each has an identity that no other ever has. Whoever knew an
# earlier one, in a transaction that is still open, does nothing to the next.
use v5.20;
use experimental 'signatures';
use warnings FATAL => 'all';

use Test::More;
use TestpoolCluster;

my $node = TestpoolCluster->begin('stranger', conf => <<CONF);
testpool.pool_size = 1
testpool.pool_max = 1
testpool.workers = 1
CONF
sub build ()
{
    $node->build('h', 'CREATE TABLE t (i int)');
    $node->query(q{SELECT testpool.alias('h', 'h')});
}
build();
$node->settle;
my ($early, $other, $stranger) = $node->sessions(3);

# The stranger's lease of the same clone, with a session inside that does something.
sub stranger_works ($how)
{
    my $database = $stranger->query(q{SELECT testpool.acquire('h')});
    my $inside = $node->session(database => $database);
    $inside->query('BEGIN');
    $inside->query('INSERT INTO t VALUES (1)');
    $how->();
    $node->query(q{SELECT testpool.prewarm('h', 0)});  # the launcher has looked at every lease since
    is($inside->try_query('SELECT count(*) FROM t')->{out}, 1, 'the session inside goes on');
    is($node->query("SELECT state FROM testpool.databases WHERE database = '$database'"), 'leased', 'the lease goes on');
    $inside->quit;
    $stranger->query("SELECT testpool.release('$database')");
    $node->settle;
}

# Leases it, in a transaction that stays open, and has somebody else release it.
sub lease_that_is_over ()
{
    $early->query('BEGIN');
    my $database = $early->query(q{SELECT testpool.acquire('h')});
    $other->query("SELECT testpool.release('$database')");
    $node->settle;
}

note 'a late ROLLBACK';
lease_that_is_over();
stranger_works(sub { $early->query('ROLLBACK') });

note 'a late ROLLBACK TO SAVEPOINT';
$early->query('BEGIN');
$early->query('SAVEPOINT s');
my $database = $early->query(q{SELECT testpool.acquire('h')});
$other->query("SELECT testpool.release('$database')");
$node->settle;
stranger_works(sub { $early->query('ROLLBACK TO s') });
$early->query('COMMIT');

note 'a late COMMIT of a release';
$database = $early->query(q{SELECT testpool.acquire('h')});
$early->query('BEGIN');
$early->query("SELECT testpool.release('$database')");
$other->query("SELECT testpool.release('$database')");
$node->settle;
stranger_works(sub { $early->query('COMMIT') });

note 'a launcher that has read its tables again';
lease_that_is_over();
stranger_works(sub {
    my ($launcher) = $node->pids_of('launcher');
    $node->query("SELECT pg_terminate_backend($launcher)");
    $node->poll_query_until('postgres',
        "SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'testpool launcher' AND pid <> $launcher");
    $early->query('ROLLBACK');
});

note 'an extension that was created anew';
lease_that_is_over();
$node->query('SELECT testpool.reset(); DROP EXTENSION testpool; CREATE EXTENSION testpool');
build();
$node->settle;
stranger_works(sub { $early->query('ROLLBACK') });

note 'a claim';
$early->query('BEGIN');
$early->query(q{SELECT testpool.init_template('claimed')});
$other->query(q{SELECT testpool.discard('claimed')});
my $claimed = $other->query(q{SELECT testpool.init_template('claimed')});
$early->query('ROLLBACK');
$node->query(q{SELECT testpool.prewarm('h', 0)});
is($node->query(q{SELECT state FROM testpool.templates WHERE database = '} . $claimed . q{'}), 'building',
    'a late ROLLBACK does not end another build of the hash');
$other->query(q{SELECT testpool.finalize('claimed')});

note 'a recreate of a name that is somebody else\'s now';
$node->query('SELECT 1', database => 'h~token');
$node->query(q{SELECT testpool.release('h~token')});
$node->settle;
$node->query('SELECT 1', database => 'h~token');
is($node->query(q{SELECT count(*) FROM testpool.databases WHERE database = 'h~token' AND state = 'leased'}), 1,
    'a name is leased once more');

note 'when a lease began';
my $session = $node->session;
$session->query(q{SELECT testpool.release('h~token')});
$node->settle;
my $mine = $session->query(q{SELECT testpool.acquire('h')});
my $since = $node->query("SELECT leased_at FROM testpool.databases WHERE database = '$mine'");
$session->query("SELECT testpool.recreate('$mine')");
is($node->query("SELECT leased_at FROM testpool.databases WHERE database = '$mine'"), $since,
    'recreate is no new lease');
$session->query('SELECT testpool.release()');

note 'DISCARD ALL, which a pool of connections sends before it passes one on';
$mine = $session->query(q{SELECT testpool.acquire('h')});
$claimed = $session->query(q{SELECT testpool.init_template('left behind')});
my $builder = $node->session(database => $claimed);
my $tester = $node->session(database => $mine);
$session->query('DISCARD ALL');
$session->query('SELECT testpool.release()');
$session->query(q{SET testpool.template_timeout = '1ms'});
is($session->try_query(q{SELECT testpool.init_template('left behind')})->{error}{sqlstate}, '55P03',
    'who comes next on a connection does not get the claim of who had it before');
is($node->query("SELECT state FROM testpool.databases WHERE database = '$mine'"), 'leased',
    '… nor ends its lease');
$node->query(q{ALTER SYSTEM SET testpool.lease_grace = '0'; SELECT pg_reload_conf()});
$_->quit for $builder, $tester;
$node->becomes_true("SELECT count(*) = 0 FROM testpool.databases WHERE database = '$mine' AND state = 'leased'",
    'the lease ends as if its session had');
$node->becomes_true(q{SELECT state = 'discarded' FROM testpool.templates WHERE hash = 'left behind'},
    '… and so does the claim');
$mine = $session->query(q{SELECT testpool.acquire('h')});
$node->query(q{SELECT testpool.prewarm('h', 0)});
is($session->query("SELECT state FROM testpool.databases WHERE database = '$mine'"), 'leased',
    'what is acquired afterwards is the new session\'s');
$session->query('SELECT testpool.release()');
$node->settle;
is($node->query(q{SELECT count(*) FROM testpool.databases WHERE state = 'leased'}), 0, '… which gives it back');
$session->quit;

$_->quit for $early, $other, $stranger;
$node->finish;
