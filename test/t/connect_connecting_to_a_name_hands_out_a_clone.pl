# Who connects to a template's name, a separator and a token of its own is in a clone of that
# template, under that name. No statement of testpool is needed.
use v5.20;
use warnings FATAL => 'all';

use PostgreSQL::Test::Utils;
use Test::More;
use TestpoolCluster;

my $node = TestpoolCluster->begin('connect',
    init => { allows_streaming => 1, extra => [ '--encoding=UTF8', '--locale=C' ] }, conf => <<CONF);
testpool.pool_max = 8
log_line_prefix = '%m [%p] db=%d %e '
CONF
$node->query('CREATE ROLE tester LOGIN; CREATE ROLE visitor LOGIN');
$node->query('GRANT USAGE ON SCHEMA testpool TO tester, visitor');
$node->query('GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA testpool TO tester');

sub build_named
{
    my ($hash, $name, $content) = @_;
    my $builder = $node->session(user => 'tester');
    my $database = $builder->query("SELECT testpool.init_template('$hash', name => '$name')");
    $node->query($content, database => $database, user => 'tester');
    $builder->query("SELECT testpool.finalize('$hash')");
    $builder->quit;
}

# A statement as `psql -c` runs it, in that database. Options: user.
sub in { my ($database, $sql, %options) = @_; return $node->query($sql, database => $database, %options) }

# The error of connecting there, or undef. psql does not tell its SQLSTATE, but the log does.
sub refused
{
    my ($database, %options) = @_;
    my $log = -s $node->logfile;
    my $error = $node->error_of('SELECT 1', database => $database, %options) or return undef;
    my %error = (detail => '', hint => '', message => $error->{message} =~ s/^(?:DETAIL|HINT):.*//msr);
    $error{ lc $1 } = $2 while $error->{message} =~ /^(DETAIL|HINT):  (.*)$/mg;
    ($error{sqlstate}) = slurp_file($node->logfile, $log) =~ / (\w{5}) FATAL:  /;
    return \%error;
}

sub state_of { return $node->query("SELECT state FROM testpool.databases WHERE database = '$_[0]'") }

sub leases { return $node->query(q{SELECT count(*) FROM testpool.databases WHERE state IN ('leased', 'kept')}) }

sub configure
{
    my (%settings) = @_;
    $node->query("ALTER SYSTEM SET $_ = '$settings{$_}'") for sort keys %settings;
    $node->query('SELECT pg_reload_conf()');
    for my $name (sort keys %settings)
    {
        # Seen by a session that starts, as the hook runs in one.
        $node->poll_query_until('postgres',
            "SELECT setting = '$settings{$name}' FROM pg_settings WHERE name = '$name'")
          or die "$name is not in force";
    }
}

build_named('v1', 'orders', 'CREATE TABLE t (v int); CREATE TABLE version AS SELECT 1 AS v');

# --- the job ------------------------------------------------------------------------------------

my $first = $node->session(database => 'orders~a', user => 'tester');
is($first->query('SELECT current_database()'), 'orders~a', 'the database has the name that was asked for');
is($first->query('SELECT count(*) FROM t'), 0, 'and the contents of the template');
$first->query('INSERT INTO t VALUES (1)');
is(in('orders~a', 'SELECT v FROM t', user => 'tester'), 1, 'a second session of that name is in the same database');
is(in('orders~b', 'SELECT count(*) FROM t', user => 'tester'), 0, 'another token is another database');
is(in('orders~a~b:c/d "e" \'f\'', 'SELECT current_database()'), 'orders~a~b:c/d "e" \'f\'',
    'a token may be any text, the separator included');
is( $node->query("SELECT datname FROM pg_stat_activity WHERE pid = $first->{pid}"),
    'orders~a', 'pg_stat_activity shows the name');
$first->try_query('SELECT no_such_column');
like(slurp_file($node->logfile), qr/db=orders~a 42703 ERROR:  column "no_such_column"/, 'and so does the log');

is($node->query(<<'SQL'), "orders~a|v1|leased|orders|tester|$first->{pid}|1", 'the lease is shown like any other');
SELECT database, hash, state, template, role, pid, sessions
  FROM testpool.databases WHERE database = 'orders~a'
SQL
like($node->query(q{SELECT testpool.url('orders~a')}), qr{^postgresql://[^/]*/orders~a\b}, 'url() knows it');

# --- its end ------------------------------------------------------------------------------------

$node->query(q{SELECT testpool.release('orders~a')});
ok(!defined refused('orders~a', user => 'tester'), 'after release() the name can be connected to at once');
ok($first->try_query('SELECT 1')->{ended}, 'release() ends the sessions inside');
my $dirty = 0;
for (1 .. 20)
{
    $dirty += in('orders~a', 'INSERT INTO t VALUES (1) RETURNING (SELECT count(*) FROM t)') > 0;
    $node->query(q{SELECT testpool.release('orders~a')});
}
is($dirty, 0, 'whoever connects right after a release never meets the last contents');
$node->fails_with('42704', q{SELECT testpool.release('orders~a')}, 'a name that was released is unknown');

in('orders~k', 'INSERT INTO t VALUES (7)');
$node->fails_with('42501', q{SELECT testpool.release('orders~k')}, q{another role's cannot be released},
    user => 'tester');
my ($kept) = $node->query(q{SELECT testpool.keep('orders~k', 'look')}) =~ m{/(\w+)(\?|$)};
is(in($kept, 'SELECT v FROM t'), 7, 'a kept database can be connected to, under the name that keep() tells');
is(state_of($kept), 'kept', 'and stays kept');
$node->query("SELECT testpool.release('$kept')");
is(in('orders~k', 'SELECT count(*) FROM t'), 0, 'the name is that of a clean database again');

my $hostile = q{orders~"; DROP TABLE t; --'%s$$\\};
my $literal = TestpoolCluster::literal($hostile);
for my $way (qw(recreate auto))
{
    configure('testpool.recycle' => $way);
    in($hostile, 'SELECT 1');
    $node->query("SELECT testpool.recreate($literal)");    # from now on it is prepared for this way
    in($hostile, 'INSERT INTO t VALUES (8)');
    my $oid = $node->oid_of($hostile);
    $node->query("SELECT testpool.recreate($literal)");
    is(in($hostile, 'SELECT count(*) FROM t'), 0, "recycle = $way: recreate() cleans it and keeps the name");
    is($node->oid_of($hostile) == $oid, $way eq 'auto', "recycle = $way: the database is "
          . ($way eq 'auto' ? 'rewound' : 'a new one'));
}
$node->query(q{SELECT testpool.release(database) FROM testpool.databases WHERE state = 'leased'});

# --- what a name means --------------------------------------------------------------------------

build_named('v2', 'orders', 'CREATE TABLE version AS SELECT 2 AS v');
is(in('orders~n1', 'SELECT v FROM version'), 2, 'a name means the template that was finalized last under it');
$node->query(q{SELECT testpool.alias('orders', 'v1')}, user => 'tester');
is(in('orders~n2', 'SELECT v FROM version'), 1, 'alias() moves it');
is(in('orders~n1', 'SELECT v FROM version'), 2, 'and leaves what is leased alone');
$node->query(q{SELECT testpool.alias('stock', 'v2')}, user => 'tester');
is(in('stock~1', 'SELECT v FROM version'), 2, 'alias() gives a template a new name');
build_named('v3', 'orders', 'CREATE TABLE version AS SELECT 3 AS v');
is(in('orders~n3', 'SELECT v FROM version'), 3, 'what is finalized later under the name takes its place');
$node->query(q{SELECT testpool.discard('v3')}, user => 'tester');
is(in('orders~n4', 'SELECT v FROM version'), 1, 'until it is discarded');

$node->query('GRANT EXECUTE ON FUNCTION testpool.alias(text, text) TO visitor');
$node->fails_with('42501', q{SELECT testpool.alias('mine', 'v1')}, q{another role's template cannot be named},
    user => 'visitor');
$node->build('own');
$node->query(q{SELECT testpool.alias('fixtures', 'own')});
$node->fails_with('42501', q{SELECT testpool.alias('fixtures', 'v1')}, q{nor can its name be taken from it},
    user => 'tester', message => qr/"own"/);
$node->fails_with('42704', q{SELECT testpool.alias('x', 'unknown')}, 'a name needs a template');
$node->fails_with('55000', q{SELECT testpool.alias('x', 'v3')}, 'that was not discarded');
$node->fails_with('22023', "SELECT testpool.alias($_)", "alias($_) is refused")
  for q{NULL, 'v1'}, q{'', 'v1'}, q{repeat('x', 64), 'v1'}, q{'x', NULL}, q{'x', ''};

my $builder = $node->session;
my $template = $builder->query(q{SELECT testpool.init_template('late', name => 'late')});
my $early = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('late~1'), '-c', 'SELECT v FROM t' ],
    '>', \my $answer, '2>', \my $complaint);
$node->wait_for_connection_to('late~1');
$node->query('CREATE TABLE t AS SELECT 5 AS v', database => $template);
$builder->query(q{SELECT testpool.finalize('late')});
$early->finish;
is($answer, "5\n", 'who connects while the template is built waits for it') or diag($complaint);
$builder->quit;
$node->query(q{SELECT testpool.release(database) FROM testpool.databases WHERE state = 'leased'});

# --- who may ------------------------------------------------------------------------------------

my $leases = leases();
TestpoolCluster::is_error(refused('orders~v', user => 'visitor'), '42501',
    'a role without the right to acquire gets no clone',
    message => qr/lease database "orders~v"/, detail => qr/"visitor".*testpool\.acquire/, hint => qr/EXECUTE/);
is(leases(), $leases, 'and none is leased for it');
in('orders~v', 'GRANT SELECT ON version TO PUBLIC', user => 'tester');
is(in('orders~v', 'SELECT v FROM version', user => 'visitor'), 1,
    'it may enter what another role has leased, if that role lets it');
$node->query('ALTER ROLE tester NOLOGIN');
TestpoolCluster::is_error(refused('orders~w', user => 'tester'), '28000', 'a role that may not log in is refused');
is(state_of('orders~w'), '', 'and gets no clone');
$node->query('ALTER ROLE tester LOGIN');

# --- errors -------------------------------------------------------------------------------------

TestpoolCluster::is_error(refused('unknown~1'), '3D000', 'there is no template of that name',
    message => qr/database "unknown~1" does not exist/, detail => qr/"unknown"/,
    hint => qr/init_template.*alias.*testpool\.templates/s);
for my $ordinary ('orders', 'orders~', '~orders', 'orders-1')
{
    TestpoolCluster::is_error(refused($ordinary), '3D000', "\"$ordinary\" is an ordinary name", detail => qr/^$/);
}
my $longest = 'orders~' . 'x' x 56;
is(in($longest, 'SELECT length(current_database())'), 63, 'a name of 63 bytes can be asked for');
TestpoolCluster::is_error(refused("${longest}y"), '42622', 'a longer one is refused',
    message => qr/too long/, detail => qr/63 bytes/, hint => qr/token/);
TestpoolCluster::is_error(refused('orders~' . 'z' x 57), '42622', 'also if its beginning is free');
TestpoolCluster::is_error(refused("orders~\xff\xfe"), '42602', 'bytes that are no text are refused');
TestpoolCluster::is_error(refused("orders~1\n2"), '42602', 'and so are two lines');
is(in("orders~\xc3\xa4", 'SELECT v FROM version'), 1, 'letters beyond ASCII are text');

# --- no hang ------------------------------------------------------------------------------------

$node->query(q{SELECT testpool.release(database) FROM testpool.databases WHERE state = 'leased'});
configure('testpool.pool_max' => 1, 'testpool.pool_size' => 0, 'testpool.acquire_timeout' => 300);
$node->settle;
my $holder = $node->session(database => 'orders~only');
TestpoolCluster::is_error(refused('orders~more'), '55P03', 'no clone in time',
    message => qr/no clone of template "v1"/, detail => qr/"orders~only" by role/,
    hint => qr/pool_max.*acquire_timeout.*authentication_timeout/);
is(in('orders~only', 'SELECT 1'), 1, 'who asks for the one that is leased need not wait');
configure('testpool.acquire_timeout' => 60000, 'authentication_timeout' => 2);
TestpoolCluster::is_error(refused('orders~more'), '55P03', 'authentication_timeout bounds the wait, too');
configure('authentication_timeout' => 10);
my $launcher = $node->query(q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'testpool launcher'});
kill 'STOP', $launcher;
TestpoolCluster::is_error(refused('orders~more'), '55P03', 'who waits in vain is told so before PostgreSQL hangs up',
    message => qr/launcher did not answer in time/, hint => qr/pg_locks/);
kill 'CONT', $launcher;
$holder->quit;
configure('testpool.pool_max' => 8, 'testpool.pool_size' => 2, 'authentication_timeout' => 60);

# --- everybody else -----------------------------------------------------------------------------

$node->query(q{CREATE DATABASE "orders~real"});
is(in('orders~real', q{SELECT to_regclass('version') IS NULL}), 't', 'a real database of such a name always wins');
$node->query(q{ALTER DATABASE "orders~real" ALLOW_CONNECTIONS false});
TestpoolCluster::is_error(refused('orders~real'), '55000', 'also if it refuses connections');
$node->query(q{DROP DATABASE "orders~real"});

configure('testpool.connect_separator' => '.for.');
is(in('orders.for.me', 'SELECT v FROM version'), 1, 'testpool.connect_separator sets another separator');
TestpoolCluster::is_error(refused('orders~me'), '3D000', 'and the usual one is then an ordinary letter', detail => qr/^$/);
$node->fails_with('22023', 'ALTER SYSTEM SET testpool.connect_separator = ' . $_, "a separator cannot be $_",
    detail => qr/1 to 8 bytes/)
  for q{''}, q{'123456789'};
configure('testpool.connect_separator' => '~', 'testpool.connect' => 'off');
TestpoolCluster::is_error(refused('orders~off'), '3D000', 'testpool.connect = off turns it off', detail => qr/^$/);
configure('testpool.connect' => 'on');

my ($status, $out) = $node->psql('postgres', 'IDENTIFY_SYSTEM', connstr => $node->connstr('') . ' replication=true');
is($status, 0, 'a physical replication connection is as ever');
($status, $out) = $node->psql('postgres', 'IDENTIFY_SYSTEM', connstr => $node->connstr('orders~r') . ' replication=database');
like($out, qr/\|orders~r$/, 'a logical one gets a clone');

# --- the launcher --------------------------------------------------------------------------------

$node->restart;
ok(!defined refused('orders~early'), 'who connects while the server has only just started waits for the launcher');
$node->append_conf('postgresql.conf', 'max_worker_processes = 0');
$node->restart;
TestpoolCluster::is_error(refused('orders~never'), '55000', 'a launcher that does not come is not waited for long',
    message => qr/launcher is not running/, hint => qr/max_worker_processes/);
is(in('orders~early', 'SELECT v FROM version'), 1, 'what is leased can be connected to without it');
$node->adjust_conf('postgresql.conf', 'max_worker_processes', 20);
$node->restart;

$node->finish;
