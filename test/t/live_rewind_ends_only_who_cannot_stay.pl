# A live rewind ends the sessions that cannot stay, and only them, and says why. Whoever is in the
# middle of a transaction has a while to end it. Nobody sees anything halfway.
use v5.20;
use warnings FATAL => 'all';
use experimental 'signatures';

use RewindTest;
use Test::More;

my $test = RewindTest->begin('ends', conf => "testpool.rewind_timeout = '1h'\n", before => 'CREATE ROLE other LOGIN');
my $node = $test->node;
my $database = $test->acquire;
my $oid = $node->oid_of($database);

sub rewind ($sql = '') { $node->query("$sql SELECT testpool.rewind('$database')"); return; }

sub home { return $node->session->send("SELECT testpool.rewind('$database')"); }

sub is_ended ($session, $why, $name)
{
    my $result = $session->try_query('SELECT 1');
    ok($result->{ended}, "$name is ended");
    like($result->{err}, qr/57P01/, "$name: with the code of it");
    like($result->{err}, qr/DETAIL:  .*$why/, "$name: and a reason");
    return;
}

sub wait_for_gate ($count = 1)
{
    $node->becomes_true("SELECT count(*) = $count FROM pg_stat_activity
      WHERE datid = $oid AND wait_event_type = 'Extension' AND state = 'active'", "$count wait in the gate");
}

# Returns once a worker has shut the gate, and waits for those in a transaction.
sub wait_for_worker
{
    $node->becomes_true("SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event_type = 'Extension'
      AND state = 'active' AND query LIKE 'rewinding%'", 'a worker waits');
}

subtest 'temporary tables' => sub {
    my ($idle, $temporary) = $node->sessions(2, database => $database);
    $temporary->query('CREATE TEMP TABLE mine (a int); INSERT INTO mine SELECT 1');
    rewind();
    is_ended($temporary, 'it had temporary tables|had temporary tables', 'who has temporary tables');
    is($idle->query('SELECT count(*) FROM big'), 5000, 'the other stays');
    $test->equals($database, 'temporary tables');
    like($node->query("SELECT sessions_ended FROM testpool.databases WHERE database = '$database'"),
        qr/^1: .*temporary/, 'the view tells');
};

subtest 'a transaction that ends in time' => sub {
    my ($idle, $busy) = $node->sessions(2, database => $database);
    $busy->query('BEGIN; INSERT INTO bare SELECT 7');
    my $home = home();
    wait_for_worker();
    $idle->send('SELECT count(*) FROM bare WHERE a = 7');
    wait_for_gate();
    is($busy->query('SELECT count(*) FROM bare WHERE a = 7'), 2, 'it goes on');
    $busy->query('COMMIT');
    ok(!$home->result->{error}, 'then the database is rewound');
    is($idle->result->{out}, 1, 'who waited sees it afterwards');
    is($busy->query('SELECT count(*) FROM bare WHERE a = 7'), 1, 'and so does who was in a transaction');
    $test->equals($database, 'a transaction that ends');
};

subtest 'a transaction that does not' => sub {
    my ($idle, $busy, $failed) = $node->sessions(3, database => $database);
    $busy->query('BEGIN; INSERT INTO bare SELECT 7; LOCK big');
    $failed->query('BEGIN');
    $failed->try_query('SELECT 1 / 0');
    rewind(q{SET testpool.rewind_timeout = '100ms';});
    is_ended($busy, 'did not end its transaction', 'who is in a transaction');
    $failed->query('ROLLBACK');
    is($failed->query('SELECT count(*) FROM bare WHERE a = 7'), 1, 'who is in a failed one holds nothing, and stays');
    is($idle->query('SELECT count(*) FROM bare WHERE a = 7'), 1, 'the other stays');
    $test->equals($database, 'a transaction that is ended');
};

subtest 'statements of several transactions' => sub {
    my ($idle, $vacuum) = $node->sessions(2, database => $database);
    $vacuum->query('CREATE PROCEDURE forever() LANGUAGE plpgsql AS
      $$BEGIN LOOP INSERT INTO bare SELECT 7; COMMIT; PERFORM pg_sleep(0.001); END LOOP; END$$');
    $vacuum->send('CALL forever()');
    $node->becomes_true("SELECT count(*) = 1 FROM pg_stat_activity WHERE datid = $oid AND query LIKE 'CALL forever()%'", 'it runs');
    rewind(q{SET testpool.rewind_timeout = '100ms';});
    my $result = $vacuum->result;
    ok($result->{ended}, 'a procedure is ended');
    like($result->{err}, qr/57P01.*DETAIL:  .*(several transactions|did not end)/s, 'with a reason');
    is($idle->query('SELECT count(*) FROM bare WHERE a = 7'), 1, 'the other stays');
    $test->equals($database, 'a procedure');
};

subtest 'parallel workers' => sub {
    my ($idle, $busy) = $node->sessions(2, database => $database);
    $busy->query('SET max_parallel_workers_per_gather = 2; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0;
      SET min_parallel_table_scan_size = 0; SET parallel_leader_participation = off');
    for my $round (1 .. 5)
    {
        $busy->send('SELECT count(*) FROM big a JOIN big b USING (id) WHERE a.t <> b.t || 1');
        rewind();
        is($busy->result->{out}, 5000, 'a query in parallel is let end');
    }
    is($idle->query('SELECT count(*) FROM big'), 5000, 'all stay');
};

subtest 'who waits in the gate' => sub {
    my ($busy, @waiting) = $node->sessions(5, database => $database);
    $_->query('SELECT count(*) FROM big') for @waiting;
    $busy->query('BEGIN; INSERT INTO bare SELECT 7');
    my $home = home();
    wait_for_worker();
    $_->send('SELECT count(*) FROM bare WHERE a = 7') for @waiting;
    wait_for_gate(4);
    is($node->query("SELECT count(*) FROM pg_stat_activity WHERE datid = $oid AND backend_xmin IS NOT NULL"), 0,
        'they hold back no VACUUM');
    $node->query("SELECT pg_cancel_backend($waiting[0]{pid}), pg_terminate_backend($waiting[1]{pid})");
    is($waiting[0]->result->{error}{sqlstate}, '57014', 'one is canceled');
    ok($waiting[1]->result->{ended}, 'one is terminated');
    $waiting[0]->send('SELECT count(*) FROM bare WHERE a = 7');
    wait_for_gate(3);
    my $new = $node->session(database => $database);
    $new->send('SELECT count(*) FROM bare WHERE a = 7');
    $node->query('CHECKPOINT');
    $busy->query('COMMIT');
    is($_->result->{out}, 1, 'the others see it clean') for @waiting[0, 2, 3];
    $new->result;
    ok(!$home->result->{error}, 'and it was rewound');
    rewind();
    $test->equals($database, 'who waits');
};

subtest 'they are served one by one' => sub {
    my @inside = $node->sessions(3, database => $database);
    my @callers = map { $node->session } 1 .. 3;
    for my $round (1 .. 3)
    {
        $_->query('INSERT INTO bare SELECT 7') for @inside;
        $_->send("SELECT testpool.rewind('$database')") for @callers;
        $inside[0]->send('SET testpool.rewind = now');
        is($_->result->{error}, undef, 'no error') for @callers, $inside[0];
        is($_->query('SELECT count(*) FROM bare WHERE a = 7'), 1, 'clean') for @inside;
    }
    $test->equals($database, 'many callers');
};

subtest 'errors' => sub {
    my $inside = $node->session(database => $database);
    my $is = sub ($session, $sql, $state, $name) {
        my $error = $session->try_query($sql)->{error};
        is($error->{sqlstate}, $state, $name);
    };
    $is->($inside, 'BEGIN; SET testpool.rewind = now', '25001', 'in a transaction block');
    $inside->query('ROLLBACK');
    $is->($inside, q{DO $$BEGIN EXECUTE 'SET testpool.rewind = now'; END$$}, '25001', 'in a function');
    $is->($inside, q{SELECT set_config('testpool.rewind', 'now', false)}, '55000', 'as a setting');
    $is->($inside, q{SET testpool.rewind = 'later'}, '55000', 'at another time');
    $is->($inside, 'SET LOCAL testpool.rewind = now', '55000', 'for a transaction');
    $inside->query('SET default_transaction_read_only = on');
    $is->($inside, 'SET testpool.rewind = now', '25006', 'read-only');
    my $home = $node->session;
    $is->($home, 'SET testpool.rewind = now', '55000', 'at home');
    $is->($home, "SELECT testpool.rewind('nothing')", '42704', 'no such database');
    $is->($home, "SELECT testpool.rewind(NULL)", '22023', 'null');
    $is->($home, "SELECT testpool.rewind('postgres')", '42704', 'somebody else\'s');
    my $other = $node->session(database => $database, user => 'other');
    $is->($other, 'SET testpool.rewind = now', '42501', 'of another role');
    $inside->query('SET default_transaction_read_only = off');
    my $altering = $node->session;
    $altering->query("BEGIN; ALTER DATABASE $database CONNECTION LIMIT 50");
    $inside->query("SET testpool.rewind_timeout = '100ms'");
    $is->($inside, 'SET testpool.rewind = now', '55006', 'while somebody alters it');
    $inside->query('RESET testpool.rewind_timeout');
    $inside->send('SET testpool.rewind = now');
    $altering->query('ROLLBACK');
    is($inside->result->{error}, undef, 'not once that is over');
    $inside->query("BEGIN; CREATE TABLE prepared (a int); PREPARE TRANSACTION 'p'");
    $is->($inside, 'SET testpool.rewind = now', '55000', 'with prepared transactions');
    is($inside->query("COMMIT PREPARED 'p'; SELECT count(*) FROM prepared"), 0, 'which stay');
    $inside->query('SET testpool.rewind = now');
    is($inside->query('SELECT count(*) FROM pg_class WHERE relname = \'prepared\''), 0, 'until they are committed');
    $node->query("SELECT testpool.keep('$database')");
    $is->($inside, 'SET testpool.rewind = now', '55000', 'kept');
};

$test->finish;
