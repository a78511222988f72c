# The disk of the data directory fills up while clones are made and while used ones are rewound;
# the log's disk fills up. Whoever asks is told what is lacking, what is there is served, nothing is
# lost, and when there is space again the pool fills by itself.
use v5.20;
use experimental 'signatures';
use warnings FATAL => 'all';

use PostgreSQL::Test::Utils;
use Test::More;
use TestpoolCluster;

my $disk = $ENV{SMALL_DISK};
plan(skip_all => 'no small disk can be mounted here') unless $disk;

my $filler = "$disk/filler";

# Fills the disk but for some megabytes.
sub fill ($left)
{
    system("dd if=/dev/zero of=$filler bs=64k status=none 2>/dev/null");
    truncate($filler, (-s $filler) - $left * 1024 * 1024) or die "truncate: $!";
}

sub clear () { unlink($filler) or die "unlink: $!"; }

# Returns once the server runs, which may have given up, or be about to: a checkpoint that began while
# there was no space ends it later.
sub runs_again ($node)
{
    TestpoolCluster::wait_until('the server runs', sub {
        return 1 if ($node->psql('postgres', 'CHECKPOINT'))[0] == 0;
        my ($postmaster) = split /\n/, slurp_file($node->data_dir . '/postmaster.pid') if -e $node->data_dir . '/postmaster.pid';
        return 0 if $postmaster && kill(0, $postmaster);
        undef $node->{_pid};
        $node->start(fail_ok => 1);
        return 0;
    });
}

my $conf = <<CONF;
testpool.lease_grace = '1h'
testpool.pool_size = 2
testpool.pool_max = 4
testpool.min_free_space = 0
testpool.clone_strategy = wal_log
CONF

my $node = TestpoolCluster->begin('full', conf => $conf, folder => "$disk/full",
    init => { extra => [ '-X', PostgreSQL::Test::Utils::tempdir . '/wal' ] });
my $template = $node->build('app', 'CREATE TABLE t AS SELECT i AS v FROM generate_series(1, 100000) i');
$node->settle;
my $holder = $node->session;

sub rows_of ($database) { return $node->query('SELECT count(*), sum(v) FROM t', database => $database); }
my $content = '100000|5000050000';

# --- while clones are made ------------------------------------------------------------------------

fill(2);
my @leased = map { $holder->query(q{SELECT testpool.acquire('app', '60 s')}) } 1 .. 2;
is_deeply([ map { rows_of($_) } @leased ], [ $content, $content ], 'what is ready is handed out while the disk is full');
my $error = $holder->try_query(q{SELECT testpool.acquire('app', '3 s')})->{error};
TestpoolCluster::is_error($error, '53100', 'an acquire for which there is no space tells that',
    message => qr/no clone of template "app" became ready in time/,
    detail => qr/The last failure: .*No space left on device/, hint => qr/made by themselves/);
is(rows_of($leased[0]), $content, 'who has a database works on');
$holder->query("SELECT testpool.release('$leased[0]')");
$node->becomes_true(q{SELECT count(*) = 1 FROM testpool.databases WHERE state = 'ready'}, 'and one that nobody wrote to can be released');
my $next = $holder->query(q{SELECT testpool.acquire('app')});
is(rows_of($next), $content, 'and handed out again');
clear();
my $got = $holder->query(q{SELECT testpool.acquire('app', '150 s')});
is(rows_of($got), $content, 'when there is space again, clones are made by themselves');
$holder->query('SELECT testpool.release()');
$node->settle;
$node->has_no_orphans('and what failed has left no files behind');

# --- while a rewind writes ------------------------------------------------------------------------

# It may take the last block, and PostgreSQL ends when it cannot write even its checkpoint.

my $used = $holder->query(q{SELECT testpool.acquire('app')});
$node->query('TRUNCATE t', database => $used);    # its pages have to be written again
$node->query('CHECKPOINT');
fill(1);
my $from = -s $node->logfile;
$node->{may_die} = qr/PANIC:  .*No space left on device|was terminated by signal 6/;
$holder->try_query("SELECT testpool.release('$used')");    # the server may end before it answers
ok($node->wait_for_log(qr/is cloned again, not rewound: .*No space left on device/, $from),
    'a rewind that runs out of space gives up');
clear();
runs_again($node);
$holder->quit;
$holder = $node->session;
my @clean = map { $holder->query(q{SELECT testpool.acquire('app', '150 s')}) } 1 .. 3;
is_deeply([ map { rows_of($_) } @clean ], [ ($content) x 3 ], 'and when there is space again, all that is handed out is clean');
$holder->query('SELECT testpool.release()');
$node->settle;
$node->has_no_orphans('no files are left behind');

# --- before it is full ----------------------------------------------------------------------------

$node->query('ALTER SYSTEM SET testpool.min_free_space = 80');
$node->query('SELECT pg_reload_conf()');
$node->becomes_true(q{SELECT current_setting('testpool.min_free_space') = '80MB'}, 'some space is to be left free');
fill(30);
$node->query('SELECT testpool.reset_stats()');
my $ready = q{SELECT EXISTS (SELECT FROM testpool.databases WHERE state = 'ready')};
$holder->query(q{SELECT testpool.acquire('app')}) while $node->query($ready) eq 't';
$error = $holder->try_query(q{SELECT testpool.acquire('app', '500 ms')})->{error};
TestpoolCluster::is_error($error, '53100', 'then nothing is tried that would fill it', message => qr/no room for another database/);
is($node->query('SELECT failures FROM testpool.stats WHERE hash = $$app$$'), 0, 'and nothing fails');
clear();
$node->query('ALTER SYSTEM SET testpool.pool_max = 5');
$node->query('SELECT pg_reload_conf()');
ok($holder->query(q{SELECT testpool.acquire('app', '150 s')}), 'until there is space again');
$holder->query('SELECT testpool.release()');
$node->build('waste', q{CREATE TABLE t (t text) WITH (fillfactor = 10);
    INSERT INTO t SELECT repeat('x', 900) FROM generate_series(1, 2500)});
$node->settle;
fill(60);
$holder->query(q{SELECT testpool.acquire('app')});    # so it is not quiet, and drops wait
$node->query(q{SELECT testpool.discard('waste')});
ok($holder->query(q{SELECT testpool.init_template('next')}), 'or until what was given up has been dropped for it');
$holder->query(q{SELECT testpool.discard('next')});
clear();
$holder->query('SELECT testpool.release()');
$holder->quit;
$node->settle;
$node->finish(more => 1);
system("rm -rf $disk/full");

# --- the disk of the log --------------------------------------------------------------------------
# PostgreSQL itself does not survive that: it ends and recovers, or waits for a person to start it.

my $wal = TestpoolCluster->begin('log', conf => $conf . "max_wal_size = 32MB\nmin_wal_size = 32MB\n",
    init => { extra => [ '-X', "$disk/wal" ] });
$wal->{may_die} = qr/PANIC:  .*(?:No space left on device|could not .*pg_wal)|was terminated by signal 6/;
$wal->build('app', 'CREATE TABLE t AS SELECT i AS v FROM generate_series(1, 100000) i');
$wal->settle;
$used = $wal->query(q{SELECT testpool.acquire('app')});
$wal->query('DELETE FROM t', database => $used);
fill(0);
my ($status, $out, $err) = $wal->psql('postgres',
    'INSERT INTO t SELECT i FROM generate_series(1, 10000000) i', connstr => $wal->connstr($used));
isnt($status, 0, 'the log fills its disk: statements fail');
clear();
runs_again($wal);
$holder = $wal->session;
my @after = map { $holder->query(q{SELECT testpool.acquire('app', '150 s')}) } 1 .. 2;
is_deeply([ map { $wal->query('SELECT count(*), sum(v) FROM t', database => $_) } @after ], [ ($content) x 2 ],
    'once it runs again, acquire hands out clean clones');
is($wal->query(q{SELECT state FROM testpool.templates WHERE hash = 'app'}), 'finalized', 'the template is there');
is($wal->query("SELECT state FROM testpool.databases WHERE database = '$used'"), 'leased', 'and so is the lease');
$holder->query('SELECT testpool.release()');
$wal->query("SELECT testpool.release('$used')");
$holder->quit;
$wal->finish;
