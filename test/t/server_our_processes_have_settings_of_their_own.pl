# What postgresql.conf, a role or a database sets is meant for clients: it changes nothing in what the
# processes of testpool do, neither when they begin nor at a reload.
use v5.20;
use warnings FATAL => 'all';
use experimental 'signatures';

use PostgreSQL::Test::Utils;
use Test::More;
use TestpoolCluster;

my $node = TestpoolCluster->begin('pinned', conf => "testpool.pool_size = 1\ntestpool.pool_max = 2\nmax_prepared_transactions = 5\n");
my $version = $node->query(q{SELECT current_setting('server_version_num')::int});
$node->query('CREATE ROLE nobody; CREATE ROLE nobody_either');
mkdir(my $place = $node->basedir . '/place');
$node->query("CREATE TABLESPACE place LOCATION '$place'");

my @hindering = (
    'default_transaction_read_only = on',
    'default_transaction_isolation = serializable',
    'default_transaction_deferrable = on',
    'exit_on_error = on',
    'session_replication_role = replica',
    q{statement_timeout = '1ms'},
    q{lock_timeout = '1ms'},
    q{idle_in_transaction_session_timeout = '1ms'},
    q{idle_session_timeout = '1ms'},
    'default_tablespace = place',
    'temp_tablespaces = place',
    $version < 190000 ? 'standard_conforming_strings = off' : (),
    'transform_null_equals = on',
    'zero_damaged_pages = on',
    q{search_path = nowhere},
    q{log_statement = 'all'},
    'log_min_duration_statement = 0',
    'row_security = on',
    $version >= 170000 ? (q{transaction_timeout = '1ms'}, 'event_triggers = on') : ());

# What a client says of itself outranks all of that.
my %own = (
    default_transaction_read_only => 'off', exit_on_error => 'off', role => 'none', search_path => 'public',
    default_transaction_isolation => 'read\ committed', default_transaction_deferrable => 'off',
    map({ $_ => 0 } qw(statement_timeout lock_timeout idle_in_transaction_session_timeout idle_session_timeout),
        $version >= 170000 ? 'transaction_timeout' : ()));
$ENV{PGOPTIONS} = join ' ', map { "-c $_=$own{$_}" } sort keys %own;

sub everything_works ($when)
{
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    subtest $when => sub {
        $node->build('app', 'CREATE TABLE t AS SELECT 1 AS v; CREATE INDEX ON t (v)');
        my $session  = $node->session;
        my $database = $session->query(q{SELECT testpool.acquire('app', '30 s')});
        $node->query('INSERT INTO t VALUES (2)', database => $database);
        $session->query("SELECT testpool.recreate('$database')");
        is($node->query('SELECT sum(v) FROM t', database => $database), 1, 'a used database is rewound');
        $node->query(<<'SQL', database => $database);
CREATE SUBSCRIPTION s CONNECTION 'host=/nowhere' PUBLICATION p WITH (connect = false);
BEGIN; INSERT INTO t VALUES (2); PREPARE TRANSACTION 'left';
SQL
        $session->query("SELECT testpool.recreate('$database')");
        is($node->query('SELECT sum(v) FROM t', database => $database), 1, 'one that holds more is made again');
        is($session->query(q{SELECT count(DISTINCT testpool.acquire('app', '30 s')) FROM generate_series(1, 1)}), 1,
            'another one is cloned');
        $session->query('SELECT testpool.release()');
        $session->query('SELECT testpool.reset()');
        is_deeply([ $node->own_databases ], [], 'all are dropped');
        $session->quit;
    };
}

sub log_lines () { return scalar(split /\n/, slurp_file($node->logfile)) }

# --- a reload ---------------------------------------------------------------------------------------

my ($launcher) = $node->pids_of('launcher');
my $lines = log_lines();
$node->query('ALTER SYSTEM SET default_transaction_read_only = on');
$node->reload;
everything_works('default_transaction_read_only is turned on by a reload');
$node->query('ALTER SYSTEM RESET default_transaction_read_only');
$node->reload;
everything_works('and off again');
is(($node->pids_of('launcher'))[0], $launcher, 'the launcher is the same');
cmp_ok(log_lines() - $lines, '<', 200, 'the log was not flooded');

# --- the home database, the role, postgresql.conf ------------------------------------------------------

$node->query("ALTER DATABASE postgres SET $_") for @hindering, 'role = nobody';
$node->restart;
everything_works('hindering settings of the home database');
$node->query('ALTER DATABASE postgres RESET ALL');

my $user = $node->query('SELECT current_user');
$node->query(qq{ALTER ROLE "$user" SET $_}) for @hindering, 'role = nobody';
$node->restart;
everything_works('hindering settings of the role that they run as');
$node->query(qq{ALTER ROLE "$user" RESET ALL});

# Clients could not even connect with a transaction_timeout like that.
$node->append_conf('postgresql.conf', join "\n", grep({ !/transaction_timeout|exit_on_error/ } @hindering), '');
$node->restart;
everything_works('hindering settings in postgresql.conf');

# --- a template ---------------------------------------------------------------------------------------

$node->append_conf('postgresql.conf', "session_replication_role = origin\ndefault_tablespace = ''\n");
$node->reload;
my $builder  = $node->session;
my $template = $builder->query(q{SELECT testpool.init_template('theirs')});
$node->query('CREATE TABLE t (v int); INSERT INTO t VALUES (1)', database => $template);
$node->query("ALTER DATABASE $template SET $_") for @hindering, 'role = nobody';
is($builder->try_query(q{SELECT testpool.finalize('theirs')})->{error}, undef, 'a template with hindering settings is finalized');
$builder->quit;
my $database = $node->query(q{SELECT testpool.acquire('theirs')});
$node->query('INSERT INTO t VALUES (2)', database => $database);
$node->query(q{SET default_transaction_read_only = off; BEGIN; INSERT INTO t VALUES (3); PREPARE TRANSACTION 'left'}, database => $database);
$node->query("SELECT testpool.recreate('$database')");
is($node->query('SELECT sum(v) FROM t', database => $database), 1, 'its clones are made clean again');
is($node->query("SELECT count(*) FROM pg_database WHERE dattablespace = (SELECT oid FROM pg_tablespace WHERE spcname = 'place')"),
    0, 'and lie where their template does');

unlike(slurp_file($node->logfile), qr/WARNING:  testpool:|terminating background worker "testpool[^\n]*timeout/,
    'no process of testpool met with an obstacle');
$node->finish;
