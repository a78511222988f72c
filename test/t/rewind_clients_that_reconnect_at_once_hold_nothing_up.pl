# An application's pool connects again as soon as its sessions are ended, and so do background workers. Databases
# are sealed, rewound, recreated and dropped all the same.
use v5.20;
use experimental 'signatures';
use warnings FATAL => 'all';

use IPC::Run;
use PostgreSQL::Test::Utils;
use Test::More;
use TestpoolCluster;

eval { run_log([ 'python3', '-c', 'import psycopg2' ]) } or plan skip_all => 'there is no psycopg2 here';

my $node = TestpoolCluster->begin('reconnect', conf => <<CONF);
testpool.pool_size = 1
testpool.pool_max = 1
max_connections = 100
CONF

# Forty connections to a database, each opened again as soon as it is closed or refused. Tells of each that was made.
my $pool = <<'PYTHON';
import sys, threading, psycopg2
def connect_for_ever():
    while True:
        try:
            connection = psycopg2.connect(sys.argv[1], connect_timeout=60)
            cursor = connection.cursor()
            while True: cursor.execute("SELECT pg_sleep(1000)")
        except psycopg2.Error: pass
for _ in range(40): threading.Thread(target=connect_for_ever, daemon=True).start()
sys.stdin.read()
PYTHON
sub start_pool ($database)
{
    my $in = '';
    my $pool = IPC::Run::start([ 'python3', '-c', $pool, $node->connection(database => $database) ],
        '<', \$in, '>', \my $out, '2>', \my $err);
    $node->poll_query_until('postgres', "SELECT count(*) > 30 FROM pg_stat_activity WHERE datname = '$database'")
      or die "nobody connects: $err";
    return $pool;
}
sub stop_pool ($pool) { $pool->kill_kill(grace => 1); return }

# --- finalize -----------------------------------------------------------------------------------

my $session = $node->session;
my $template = $session->query(q{SELECT testpool.init_template('h')});
$node->query('CREATE TABLE t (i int)', database => $template);
my $clients = start_pool($template);
is($session->query(q{SELECT testpool.finalize('h')}), '', 'a template is finalized under clients that reconnect');
stop_pool($clients);
$node->settle;

# --- release, recreate --------------------------------------------------------------------------

my $database = $session->query(q{SELECT testpool.acquire('h')});
my $oid = $node->oid_of($database);
$node->query('INSERT INTO t VALUES (1)', database => $database);
$clients = start_pool($database);
$session->query("SELECT testpool.recreate('$database')");
is($node->query('SELECT count(*) FROM t', database => $database), 0, 'a database is recreated under them');
is($node->query("SELECT recycled FROM testpool.databases WHERE database = '$database'"), 'rewind', '… by a rewind');
$node->poll_query_until('postgres', "SELECT count(*) > 30 FROM pg_stat_activity WHERE datname = '$database'")
  or die 'nobody comes back';
pass('… and they come back');
$node->query('INSERT INTO t VALUES (1)', database => $database);
$session->query("SELECT testpool.release('$database')");
$database = $session->query(q{SELECT testpool.acquire('h')});
is($node->oid_of($database), $oid, 'a database that they are in is rewound when it is released');
is($node->query('SELECT count(*) FROM t', database => $database), 0, '… and clean');
is($node->query("SELECT count(*) FROM pg_stat_activity WHERE datname = '$database'"), 0, '… and none of them is in it');
stop_pool($clients);

# --- a template that somebody enters ------------------------------------------------------------

# As superusers' background workers do: what refuses clients lets them in.
$node->query(qq{UPDATE pg_database SET datallowconn = true WHERE datname = '$template'});
$clients = start_pool($template);
$node->query('INSERT INTO t VALUES (1)', database => $database);
$session->query("SELECT testpool.recreate('$database')");
is($node->query("SELECT recycled FROM testpool.databases WHERE database = '$database'"), 'rewind',
    'sessions in the template do not keep its clones from being rewound');
$node->query(q{ALTER SYSTEM SET testpool.pool_max = 4; SELECT pg_reload_conf()});
ok($node->query(q{SELECT testpool.acquire('h', '60 s')}), '… nor others from being made');
stop_pool($clients);

# --- drop ---------------------------------------------------------------------------------------

$clients = start_pool($database);
$session->query('SELECT testpool.reset()');
is($node->query(q{SELECT count(*) FROM pg_database WHERE datname LIKE 'testpool%'}), 0, 'all is dropped under them');
stop_pool($clients);
$session->quit;

$node->finish;
