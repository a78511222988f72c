# The set-up of a server that many people reach: over TLS only, with SCRAM, and lines in pg_hba.conf
# for each kind of database. A role that is no superuser does everything there.
use v5.20;
use warnings FATAL => 'all';

use PostgreSQL::Test::Utils;
use Test::More;
use TestpoolCluster;

plan skip_all => 'there is no openssl to make a certificate' if system('openssl version >/dev/null 2>&1') != 0;

my $node = TestpoolCluster->begin('tls');
if ($node->query('SHOW ssl_library') ne 'OpenSSL')
{
    $node->stop;
    plan skip_all => 'this PostgreSQL was built without TLS';
}

my ($data, $host) = ($node->data_dir, '127.0.0.1');
system_or_bail("openssl req -new -x509 -days 2 -nodes -subj /CN=localhost -addext subjectAltName=IP:$host"
      . " -newkey rsa:2048 -keyout $data/server.key -out $data/server.crt 2>$data/openssl.log");
chmod 0600, "$data/server.key";
$node->query(q{SET password_encryption = 'scram-sha-256';
    CREATE ROLE tester LOGIN PASSWORD 'it''s a secret';
    CREATE ROLE stranger LOGIN PASSWORD 'another';
    GRANT USAGE ON SCHEMA testpool TO tester;
    GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA testpool TO tester});
$node->append_conf('postgresql.conf', <<CONF);
listen_addresses = '$host'
ssl = on
testpool.private = on
CONF
unlink "$data/pg_hba.conf";
$node->append_conf('pg_hba.conf', <<'HBA');
local all postgres trust
hostssl postgres tester 127.0.0.1/32 scram-sha-256
hostssl all tester,stranger 127.0.0.1/32 scram-sha-256
HBA
$node->restart;

$ENV{PGSSLROOTCERT} = "$data/server.crt";
sub over_tls
{
    my ($database, $sql, %options) = @_;
    local $ENV{PGPASSWORD} = $options{password} // q{it's a secret};
    my $mode = $options{mode} // 'verify-full';
    my $to   = $options{to}
      // "host=$host port=" . $node->port . ' user=' . ($options{user} // 'tester') . " dbname=$database";
    local $ENV{PGSSLMODE} = $mode;
    my ($status, $out, $err) = $node->psql('postgres', $sql, connstr => $to);
    return $status == 0 ? $out : "failed: $err";
}

is(over_tls('postgres', 'SELECT ssl, version FROM pg_stat_ssl WHERE pid = pg_backend_pid()'), 't|TLSv1.3',
    'the session is encrypted');
like(over_tls('postgres', 'SELECT 1', mode => 'disable'), qr/no pg_hba.conf entry.*no encryption/s,
    'a session that is not is refused');
like(over_tls('postgres', 'SELECT 1', password => 'wrong'), qr/password authentication failed/,
    'and a wrong password');

my $template = over_tls('postgres', q{SELECT testpool.init_template('app', name => 'app')});
is(over_tls($template, 'CREATE TABLE t AS SELECT 7 AS v'), '', 'a template is built');
is(over_tls('postgres', q{SELECT testpool.finalize('app')}), '', 'and finalized');
my $database = over_tls('postgres', q{SELECT testpool.acquire('app')});
is(over_tls($database, 'SELECT v FROM t'), 7, 'a clone is acquired');
my $url = over_tls('postgres', "SELECT testpool.url('$database')");
is($url, "postgresql://tester\@$host:" . $node->port . "/$database", 'its url has no password');
is(over_tls(undef, 'SELECT v FROM t', to => $url), 7, 'and leads there');
is(over_tls('postgres', "SELECT testpool.release('$database')"), '', 'it is released');

is(over_tls('app~1', 'SELECT v FROM t'), 7, 'a clone is there for who connects to a name');
like(over_tls('app~1', 'SELECT 1', user => 'stranger', password => 'another'), qr/permission denied for database/,
    'it is private');
like(over_tls('app~2', 'SELECT 1', user => 'stranger', password => 'another'), qr/permission denied to lease database/,
    'a role without grants gets none');
like(over_tls('app~3', 'SELECT 1', password => 'wrong'), qr/password authentication failed/,
    'nor does who has a wrong password');
is($node->query(q{SELECT database FROM testpool.databases WHERE state = 'leased' ORDER BY 1}), 'app~1',
    'nothing was leased for those');
unlike(slurp_file($node->logfile), qr/(?:LOG|DETAIL):  testpool.*secret/, 'no line of ours tells a password');
is(over_tls('postgres', q{SELECT testpool.release('app~1')}), '', 'it is released by name');
is(over_tls('postgres', q{SELECT testpool.discard('app')}), '', 'and the template discarded');

$node->finish;
