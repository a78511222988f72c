# testpool.max_databases is lowered below what there is, and the server restarted: shared memory has
# no room for some leases then. They are told apart from databases that are not leased, wait for
# room, and end as leases do.
use v5.20;
use warnings FATAL => 'all';

use PostgreSQL::Test::Utils;
use Test::More;
use TestpoolCluster;

my $node = TestpoolCluster->begin('lowered', conf => "testpool.lease_grace = '1s'\ntestpool.pool_size = 0\n");
$node->build('app', 'CREATE TABLE t ()');
my $holder = $node->session;
my @kept = map { $holder->query(q{SELECT testpool.acquire('app', '60 s')}) } 1 .. 6;
$holder->query("SELECT testpool.keep('$_')") for @kept;
$holder->quit;

$node->append_conf('postgresql.conf', "testpool.max_databases = 4\n");
my $from = -s $node->logfile;
$node->restart;
ok($node->wait_for_log(qr/2 leases have no place in shared memory yet, which has 4: raise testpool\.max_databases/s, $from),
    'the log tells that some leases have no place');
is($node->query(q{SELECT count(*) FROM testpool.databases WHERE state = 'kept'}), 6, 'none of them is given up');
$node->fails_with('53400', "SELECT testpool.release('$kept[5]')", 'one that has no place cannot be released, and that is said',
    message => qr/no room in shared memory for the lease of database "$kept[5]"/,
    detail  => qr/testpool\.max_databases \(4\)/,
    hint    => qr/raise testpool\.max_databases/);
$node->fails_with('53400', q{SELECT testpool.init_template('more')}, 'nothing new is made meanwhile');
is($node->query('SELECT 1', database => $kept[5]), 1, 'its database can be used');

$node->query("SELECT testpool.release('$kept[0]')");
$node->becomes_true("SELECT count(*) = 5 FROM testpool.databases WHERE state = 'kept'", 'one that has a place is released');
$node->query("SELECT testpool.release('$kept[1]')");
is($node->poll_query_until('postgres', "SELECT testpool.release('$kept[4]') IS NOT NULL", 't'), 1,
    'then another one has its place, and can be released');
$node->query('ALTER SYSTEM SET testpool.max_databases = 50');
$node->restart;
$node->query("SELECT testpool.release('$_')") for @kept[ 2, 3, 5 ];
$node->settle;
is($node->query(q{SELECT count(*) FROM testpool.databases WHERE state = 'kept'}), 0, 'with a higher limit all of them have one');

# --- leases of sessions that are gone --------------------------------------------------------------

$holder = $node->session;
$holder->query(q{SELECT testpool.acquire('app', '60 s')}) for 1 .. 6;
$node->query('ALTER SYSTEM SET testpool.max_databases = 4');
$node->restart;
$node->becomes_true(q{SELECT NOT EXISTS (SELECT FROM testpool.databases WHERE state = 'leased')},
    'leases of sessions that are gone end without a person, those without a place in their turn');
$holder->quit;

$node->finish;
