# pgbouncer with `* =` passes names of databases on, so names work through it as well, in session and
# in transaction mode.
use v5.20;
use warnings FATAL => 'all';

use IPC::Run;
use PostgreSQL::Test::Utils;
use Test::More;
use TestpoolCluster;

$ENV{PATH} .= ':/usr/sbin';
plan skip_all => 'pgbouncer is not installed' if system('pgbouncer --version >/dev/null 2>&1') != 0;

my $node = TestpoolCluster->begin('behind', conf => q{testpool.lease_grace = '1h'});
$node->build('app', 'CREATE TABLE t (v int)');
$node->query(q{SELECT testpool.alias('app', 'app')});
$node->query(q{CREATE ROLE nobody LOGIN});

my $bouncer;    # of the mode under test: folder, port, pid

# Starts a pgbouncer in front of the server.
sub begin_bouncer
{
    my ($mode) = @_;
    my $folder = PostgreSQL::Test::Utils::tempdir_short();
    my $port = PostgreSQL::Test::Cluster::get_free_port();
    my ($host, $behind) = ($node->host, $node->port);
    my $user = $ENV{PGUSER} // getpwuid($<);
    append_to_file("$folder/users", qq{"$user" ""\n"nobody" ""\n});
    append_to_file("$folder/ini", <<INI);
[databases]
* = host=$host port=$behind
[pgbouncer]
listen_port = $port
unix_socket_dir = $folder
auth_type = trust
auth_file = $folder/users
pool_mode = $mode
logfile = $folder/log
pidfile = $folder/pid
server_idle_timeout = 1
server_login_retry = 1
INI
    system_or_bail('pgbouncer', '-q', '-d', "$folder/ini");
    $bouncer = { folder => $folder, port => $port };
    $bouncer->{pid} = TestpoolCluster::wait_until('pgbouncer starts',
        sub { -s "$folder/pid" && slurp_file("$folder/pid") =~ s/\s//gr });
}

sub end_bouncer
{
    return unless $bouncer;
    kill 'TERM', $bouncer->{pid};
    my $pid = $bouncer->{pid};
    undef $bouncer;
    TestpoolCluster::wait_until('pgbouncer ends', sub { !kill(0, $pid) });
}

END { kill 'TERM', $bouncer->{pid} if $bouncer }

sub through { my ($database) = @_; return "host=$bouncer->{folder} port=$bouncer->{port} dbname='$database'" }

sub in
{
    my ($database, $sql, %options) = @_;
    my $user = $options{user} ? " user=$options{user}" : '';
    return $node->safe_psql('postgres', $sql, connstr => through($database) . $user);
}

for my $mode (qw(session transaction))
{
    begin_bouncer($mode);
    is(in('app~1', 'SELECT current_database()'), 'app~1', "$mode mode: a name is a clone of that name");
    in('app~1', 'INSERT INTO t VALUES (1)');
    is(in('app~1', 'SELECT count(*) FROM t'), 1, "$mode mode: the next client of that name is in the same database");
    is(in('app~2', 'SELECT count(*) FROM t'), 0, "$mode mode: another name is another database");
    is(in('postgres', q{SELECT count(*) FROM testpool.databases WHERE state = 'leased'}), 2,
        "$mode mode: the home database is reached as well");

    # In transaction mode a pooled connection does not tell when its client changes.
    if ($mode eq 'session')
    {
        my $left = in('postgres', q{SELECT testpool.acquire('app')});
        in('postgres', 'SELECT testpool.release()');
        $node->query(q{SELECT testpool.prewarm('app', 0)});    # the launcher has looked at every lease since
        is($node->query("SELECT state FROM testpool.databases WHERE database = '$left'"), 'leased',
            "release() of the next client does not end the last client's lease");
        $node->query("SELECT testpool.release('$left')");
    }

    my @clients = map { TestpoolSession->connect(through('app~3')) } 1 .. 5;
    my %servers = map { $_->{pid} => 1 } @clients;
    is(keys %servers, $mode eq 'session' ? 5 : 1, "$mode mode: so many processes of the server serve five clients in turn");
    $_->send('BEGIN; INSERT INTO t VALUES (1); COMMIT') for @clients;
    $_->result for @clients;
    is($clients[0]->query('SELECT count(*) FROM t'), 5, "$mode mode: five clients at once share their database");
    $_->quit for @clients;

    $node->query(q{SELECT testpool.release('app~1')});
    # The first client may come before pgbouncer knows that its connection is gone.
    TestpoolCluster::wait_until('pgbouncer connects anew',
        sub {
            my ($status, $out) = $node->psql('postgres', 'SELECT count(*) FROM t', connstr => through('app~1'));
            return $status == 0 && $out == 0;
        });
    pass("$mode mode: after release() the name is a clean database");

    my ($status, $out, $err) = $node->psql('postgres', 'SELECT 1', connstr => through('unknown~1'));
    like($err, qr/database "unknown~1" does not exist/, "$mode mode: the server's error reaches the client");
    ($status, $out, $err) = $node->psql('postgres', 'SELECT 1', connstr => through('app~9') . ' user=nobody');
    like($err, qr/permission denied to lease database "app~9"/, "$mode mode: a role without the right gets none");

    $node->query($_) for 'ALTER SYSTEM SET testpool.lease_grace = 0', 'SELECT pg_reload_conf()';
    $node->becomes_true(q{SELECT count(*) = 0 FROM pg_database WHERE datname LIKE 'app~%'},
        "$mode mode: once pgbouncer has closed its idle connections, the leases end");
    $node->query($_) for q{ALTER SYSTEM SET testpool.lease_grace = '1h'}, 'SELECT pg_reload_conf()';
    end_bouncer();
}

$node->finish;
