# What a rewind writes is in the log: a standby that replays it, and a server that crashes and
# recovers, end with the template's pages, whatever wal_level, full_page_writes and data checksums
# say.
use v5.20;
use experimental 'signatures';
use warnings FATAL => 'all';

use PostgreSQL::Test::Utils;
use RewindTest;
use Test::More;

my @uses = (
    [ 'reading' => 'SELECT count(*) FROM big' ],
    [ 'DML' => 'UPDATE big SET t = t || id WHERE id % 7 = 0', 'DELETE FROM part WHERE a < 50' ],
    [ 'DML across a checkpoint' => 'UPDATE big SET t = t || id WHERE id % 3 = 0', 'CHECKPOINT',
        'DELETE FROM big WHERE id % 2 = 0', 'VACUUM big', 'INSERT INTO part SELECT 1, 2' ],
    [ 'growing' => q{INSERT INTO big (t) SELECT repeat('y', 400) FROM generate_series(1, 9000)},
        'VACUUM big' ],
    [ 'TRUNCATE' => 'TRUNCATE big, wide' ],
    [ 'TRUNCATE across a checkpoint' => 'TRUNCATE big', 'CHECKPOINT', 'TRUNCATE part, empty' ],
    [ 'TRUNCATE and INSERT in one transaction' =>  # not logged if wal_level is minimal
            q{BEGIN; TRUNCATE big; INSERT INTO big (t) SELECT 'z' FROM generate_series(1, 9000); COMMIT} ],
    [ 'DDL' => 'CREATE TABLE one (a int PRIMARY KEY, b text)', 'CREATE INDEX ON big (id, t)',
        q{INSERT INTO one SELECT i, 'x' FROM generate_series(1, 5000) i}, 'DROP TABLE part' ],
    [ 'unlogged tables' => 'CREATE UNLOGGED TABLE u AS SELECT g FROM generate_series(1, 5000) g',
        'ALTER TABLE wide SET UNLOGGED' ],
    [ 'rewriting' => 'VACUUM FULL big', 'REINDEX TABLE pg_index', 'CLUSTER big USING big_pkey' ]);

sub equals_after_replay ($t, $node, $database, $what)
{
    is($t->file_differences($database, node => $node, with => ['--replayed']), '',
        "$what: its pages are the template's");
    is($t->amcheck_complaints($database, node => $node), '', "$what: amcheck finds no fault");
}

# The launcher's commits wait for no disk: a crash may forget the last of them. This commit does wait,
# and so do all before it.
sub flush_log ($node) { $node->query(q{SELECT pg_logical_emit_message(true, 'test', 'flush')}) }

sub replays ($name, $with_standby, $conf, @init)
{
    my $t = RewindTest->begin($name, conf => "$conf\ncheckpoint_timeout = 30s\n",
        init => { extra => [@init] });
    my $node = $t->node;
    my $standby;
    if ($with_standby)
    {
        $node->backup('backup');
        $standby = TestpoolCluster->new("${name}_standby");
        $standby->init_from_backup($node, 'backup', has_streaming => 1);
        $standby->start;
    }

    my $database = $t->acquire;
    for my $use (@uses)
    {
        my ($what, @statements) = @$use;
        $t->use_database($database, @statements);
        $node->query("SELECT testpool.recreate('$database')");
        is($t->way_of($database), 'rewind', "$name: $what is rewound");
    }

    if ($with_standby)
    {
        flush_log($node);
        $node->wait_for_catchup($standby);
        is($t->amcheck_complaints($database, node => $standby, with => ['--heapallindexed']), '',
            "$name: on the standby, amcheck finds no fault");
        $standby->promote;
        $standby->poll_query_until('postgres', 'SELECT NOT pg_is_in_recovery()') or die;
        equals_after_replay($t, $standby, $database, "$name: on the promoted standby");
        $standby->stop;
        $standby->log_is_clean;
    }

    # Rewound, and not written out by any checkpoint since.
    $t->use_database($database, @{ $uses[$_] }[ 1 .. $#{ $uses[$_] } ]) for 1, 5, 7;
    $node->query("SELECT testpool.recreate('$database')");
    flush_log($node);
    $node->stop('immediate');
    $node->start;
    equals_after_replay($t, $node, $database, "$name: after a crash");
    $t->give_back($database);
    $t->finish(more => 1);
}

replays('logical', 1, "wal_level = logical\nfull_page_writes = on");
replays('replica', 1, "wal_level = replica\nfull_page_writes = off", '--data-checksums');
replays('minimal', 0, "wal_level = minimal\nmax_wal_senders = 0\nfull_page_writes = off");
replays('minimal_fpw', 0,
    "wal_level = minimal\nmax_wal_senders = 0\nfull_page_writes = on\nwal_log_hints = on");
done_testing();
