# A clone is made by WAL_LOG or by FILE_COPY, as testpool.clone_strategy says or, with auto, as the
# template is large. Either way it equals its template, is rewound, survives a crash, and arrives at
# a standby.
use v5.20;
use experimental 'signatures';
use warnings FATAL => 'all';

use IPC::Run;
use PostgreSQL::Test::Utils;
use RewindTest;
use Test::More;

my $t = RewindTest->begin('copies', conf => <<CONF);
testpool.clone_strategy = 'file_copy'
fsync = off
CONF
my $node = $t->node;

sub set_strategy ($strategy)
{
    $node->query("ALTER SYSTEM SET testpool.clone_strategy = '$strategy'");
    $node->query('SELECT pg_reload_conf()');
    $node->becomes_true("SELECT setting = '$strategy' FROM pg_settings WHERE name = 'testpool.clone_strategy'",
        "testpool.clone_strategy is $strategy");
}

sub told ($hash, $column)
{
    return $node->query("SELECT $column FROM testpool.templates WHERE hash = '$hash'");
}

sub log_position { return $node->query('SELECT pg_current_wal_insert_lsn()') }

# How the write-ahead log says that the database was made.
sub made_by ($database, $since)
{
    my $oid = $node->oid_of($database);
    $node->query(q{SELECT pg_logical_emit_message(true, 'test', 'flush')});
    IPC::Run::run([ 'pg_waldump', '-p', $node->data_dir . '/pg_wal', '-r', 'Database', '-s', $since,
            '-e', log_position() ], '>', \my $records, '2>', \my $errors);
    my ($strategy) = $records =~ m{CREATE_(WAL_LOG|FILE_COPY) .*\b\d+/$oid$}m;
    return $strategy // "nothing in:\n$records$errors";
}

# --- FILE_COPY --------------------------------------------------------------------------------

my @uses = (
    [ 'nothing' => 'SELECT count(*) FROM big' ],
    [ 'DML' => 'UPDATE big SET t = t || id WHERE id % 7 = 0', 'DELETE FROM part WHERE a < 50' ],
    [ 'DML across a checkpoint' => 'UPDATE big SET t = t || id', 'CHECKPOINT', 'VACUUM big' ],
    [ 'TRUNCATE' => 'TRUNCATE big, wide' ],
    [ 'DDL' => 'CREATE TABLE one (a int PRIMARY KEY)', 'CREATE INDEX ON big (id, t)', 'DROP TABLE part' ]);

is(told('app', 'clone_strategy'), 'file_copy', 'the strategy is told');
like(told('app', 'strategy_reason'),
    qr/^testpool.clone_strategy: \d+ MB in \d+ files on .+, where blocks can(?:not)? be shared; fsync is off$/,
    'and what is known of the template');
$t->is_put_back("copied by FILE_COPY, $_->[0]", 'rewind', @$_[ 1 .. $#$_ ]) for @uses;

# --- a clone that is made while somebody looks ---------------------------------------------------

# Makes a database be cloned again, not rewound.
sub clone_again ($database)
{
    $node->move_away($database);
    my $since = log_position();
    $node->query("SELECT testpool.recreate('$database')");
    is($node->query("SELECT recycled FROM testpool.databases WHERE database = '$database'"), 'clone',
        'a clone was made');
    return made_by($database, $since);
}

$node->backup('backup');
my $standby = TestpoolCluster->new('copies_standby');
$standby->init_from_backup($node, 'backup', has_streaming => 1);
$standby->start;

my $database = $t->acquire;
is(clone_again($database), 'FILE_COPY', 'it is copied as files');
$t->equals($database, 'the copy');

$node->wait_for_catchup($standby);
$standby->promote;
$standby->poll_query_until('postgres', 'SELECT NOT pg_is_in_recovery()') or die;
is($t->file_differences($database, node => $standby, with => ['--replayed']), '',
    'on a standby that was promoted its pages are the template\'s');
is($t->amcheck_complaints($database, node => $standby), '', 'and amcheck finds no fault');
$standby->stop;
$standby->log_is_clean;

$node->stop('immediate');
$node->start;
is($t->file_differences($database, with => ['--replayed']), '', 'they are so after a crash');
is($t->amcheck_complaints($database), '', 'and amcheck finds no fault');

# --- WAL_LOG, and the choice --------------------------------------------------------------------

set_strategy('wal_log');
is(clone_again($database), 'WAL_LOG', 'with the other strategy every page is logged');
is(told('app', 'clone_strategy'), 'wal_log', 'and that is told');
$t->equals($database, 'the other copy');

set_strategy('auto');
is(clone_again($database), 'WAL_LOG', 'a small template is logged');
like(told('app', 'strategy_reason'), qr/^auto: /, 'which was chosen');
$t->give_back($database);

$node->build('large', q{CREATE TABLE filler AS SELECT repeat('x', 1000) FROM generate_series(1, 50000)});
is(told('large', 'clone_strategy'), 'file_copy', 'a large one is copied as files');

$t->finish;
