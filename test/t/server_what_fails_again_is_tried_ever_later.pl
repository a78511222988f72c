# Something that the launcher does by itself fails each time: it neither spins nor floods the log, hears
# who asks meanwhile, tells them what is wrong, and goes on by itself when that is mended.
use v5.20;
use warnings FATAL => 'all';
use experimental 'signatures';

use PostgreSQL::Test::Utils;
use Test::More;
use TestpoolCluster;

my $node = TestpoolCluster->begin('again', conf => "testpool.pool_size = 0\ntestpool.workers = 1\n");
$node->build('app', 'CREATE TABLE t AS SELECT 1 AS v');
my ($launcher) = $node->pids_of('launcher');
my $session = $node->session;

sub warnings_since ($place) { return grep { /WARNING:  testpool:/ } split /\n/, slurp_file($node->logfile, $place) }
sub place () { return -s $node->logfile }

sub cpu_ticks ($pid) { my @stat = split / /, slurp_file("/proc/$pid/stat"); return $stat[13] + $stat[14] }

# --- work cannot be handed out -------------------------------------------------------------------------

my $place = place();
$node->query('ALTER SEQUENCE testpool.database_id_seq RENAME TO hidden');
my $ticks = cpu_ticks($launcher);
my $result = $session->try_query(q{SELECT testpool.acquire('app', '3 s')});
like($result->{error}{message} // '', qr/OID 0|database_id_seq/, 'an acquire hears at its deadline what is wrong')
  or diag(explain($result));
isnt($result->{error}{sqlstate} // '55P03', '55P03', 'with the SQLSTATE of that');
is($session->query('SELECT testpool.release()'), '', 'other requests are served meanwhile');
my @warnings = grep { /handing out/ } warnings_since($place);
is(scalar @warnings, 1, 'the log tells it once') or diag(join "\n", @warnings[0 .. ($#warnings > 9 ? 9 : $#warnings)]);
like($warnings[0] // '', qr/handing out work failed: /, 'and says what failed');
cmp_ok(cpu_ticks($launcher) - $ticks, '<', 100, 'the launcher sleeps in between');

$node->query('ALTER SEQUENCE testpool.hidden RENAME TO database_id_seq');
like($session->query(q{SELECT testpool.acquire('app', '60 s')}), qr/^testpool_/, 'whoever asks next is served');
like((warnings_since($place))[-1], qr/handing out work failed: .*, and \d+ times more$/, 'the log tells how often it had failed');

# --- a reload is an occasion, too ------------------------------------------------------------------------

$node->query('ALTER SEQUENCE testpool.database_id_seq RENAME TO hidden');
$place = place();
$node->poll_query_until('postgres', q{SELECT count(*) = 0 FROM testpool.databases WHERE state NOT IN ('leased', 'ready')});
while (!$session->try_query(q{SELECT testpool.acquire('app', '0 s')})->{error}) { }
$session->send(q{SELECT testpool.acquire('app', '120 s')});
$node->wait_until_waiting($session);
$node->wait_for_log(qr/handing out work failed/, $place);
$node->query('ALTER SEQUENCE testpool.hidden RENAME TO database_id_seq');
$node->reload;
like($session->result->{out}, qr/^testpool_/, 'after a reload it is tried at once');

# --- the tables cannot be read ----------------------------------------------------------------------------

$place = place();
$node->query('ALTER TABLE testpool.database RENAME named TO strange');
kill 'TERM', $launcher;
$node->wait_for_log(qr/reading the tables failed/, $place);
$node->fails_with('55000', q{SELECT testpool.acquire('app', '1 s')}, 'an acquire hears what is wrong', message => qr/has not the columns/);
# The launcher that was ended may have met it, too.
my %told;
$told{$_}++ for map { /\[(\d+)\].*reading the tables failed/ ? $1 : () } split /\n/, slurp_file($node->logfile, $place);
is_deeply([ grep { $_ > 1 } values %told ], [], 'the log of a process tells it once');
$node->query('ALTER TABLE testpool.database RENAME strange TO named');
like($session->query(q{SELECT testpool.acquire('app', '60 s')}), qr/^testpool_/, 'when they can be read, all goes on');
$session->quit;
$node->finish(more => 1);

# --- there is no home database ------------------------------------------------------------------------------

$node = TestpoolCluster->begin('homeless', create => 0, conf => "testpool.database = 'later'\nlog_line_prefix = '%n %b '\n");
my @tries;
TestpoolCluster::wait_until('some tries', sub {
    @tries = slurp_file($node->logfile) =~ /^([\d.]+) testpool launcher FATAL: .*"later"/mg;
    return @tries >= 4;
});
cmp_ok($tries[3] - $tries[2], '>', $tries[1] - $tries[0] + 1, 'a process that cannot connect is started ever later');
$node->query('CREATE DATABASE later');
$node->query('CREATE EXTENSION testpool', database => 'later');
like($node->query(q{SELECT testpool.init_template('app')}, database => 'later'), qr/^testpool_/,
    'at once when the extension is created');
$node->query('SELECT testpool.reset()', database => 'later');
$node->finish;
