# Drivers prepare statements in the protocol, and some send what resets a pooled connection together with
# the next statement, without waiting for its answer, as Npgsql does.
use v5.20;
use warnings FATAL => 'all';
use experimental 'signatures';

use RewindTest;
use Test::More;
use TestpoolWire;

my $test = RewindTest->begin('wire', conf => "testpool.rewind_timeout = '60s'\n", content => <<'SQL');
CREATE TYPE mood AS ENUM ('sad', 'happy');
CREATE TABLE item (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, m mood DEFAULT 'sad');
INSERT INTO item (m) SELECT 'sad' FROM generate_series(1, 100);
SQL
my $database = $test->acquire;

sub client (%settings) { return TestpoolWire->connect($test->node, $database, %settings); }
sub query (@arguments) { return TestpoolWire::query(@arguments); }
sub parse (@arguments) { return TestpoolWire::parse(@arguments); }
sub execute (@arguments) { return TestpoolWire::execute(@arguments); }
sub sync () { return TestpoolWire::sync(); }

my $count = 'SELECT count(*) FROM item';
my $insert = 'INSERT INTO item (m) VALUES ($1)';
my @changes = ("ALTER TYPE mood ADD VALUE 'mad'", 'ALTER TABLE item ADD COLUMN more int', 'TRUNCATE item', 'DROP TABLE item',
    'CREATE TABLE other (a int)');

subtest 'statements that are prepared in the protocol' => sub {
    my @clients = map { client() } 1 .. 2;
    $_->ask(parse('count', $count), parse('all', 'SELECT * FROM item WHERE id = $1'), parse('insert', $insert), sync())
      for @clients;
    for my $round (0 .. 49)
    {
        my ($one, $other) = @clients[$round % 2, 1 - $round % 2];
        $one->ask((map { execute('insert', 'happy') } 1 .. 10), sync());
        $one->ask(query($changes[ $round % @changes ]));
        my @done = $one->ask(parse('', 'SET testpool.rewind = now'), execute(''), sync());
        my @seen = map { join ' ', $_->ask(execute('count'), execute('all', '100'), sync()) } $other, $one;
        next if "@done" eq 'SET' && !grep { $_ ne '100 SELECT 1 100|sad SELECT 1' } @seen;
        fail("round $round: @done, then: " . join ', ', @seen);
    }
    is_deeply([ $clients[0]->ask(execute('count'), sync()) ], [ '100', 'SELECT 1' ], 'they work over fifty rewinds');
};

subtest 'what resets is sent ahead of the next statement' => sub {
    my $npgsql = client('testpool.rewind_on_discard' => 'on');
    my $ahead = query('DISCARD ALL');
    for my $round (0 .. 49)
    {
        my @seen = $npgsql->ask(parse('', $count), execute(''), sync());
        my @written = $npgsql->ask(parse('', $insert), execute('', 'happy'), sync());
        $npgsql->ask(query($changes[ $round % @changes ]));
        $npgsql->send($ahead, parse('', $count), execute(''), sync());
        my @reset = $npgsql->answers;
        my @next = $npgsql->answers;
        next if "@seen @written @reset @next" eq '100 SELECT 1 INSERT 0 1 DISCARD ALL 100 SELECT 1';
        fail("round $round: @seen, @written, @reset, @next");
    }
    pass('it is answered first, and the statement sees the template');
};

subtest 'with statements that stay prepared Npgsql discards the rest' => sub {
    my $npgsql = client('testpool.rewind_on_discard' => 'on');
    $npgsql->ask(parse('count', $count), sync());
    $npgsql->ask(query("INSERT INTO item (m) VALUES ('happy')"));
    my $ahead = query('SET SESSION AUTHORIZATION DEFAULT;RESET ALL;CLOSE ALL;UNLISTEN *;' .
          'SELECT pg_advisory_unlock_all();DISCARD SEQUENCES;DISCARD TEMP');
    $npgsql->send($ahead, execute('count'), sync());
    $npgsql->answers;
    is_deeply([ $npgsql->answers ], [ '101', 'SELECT 1' ], 'that is no DISCARD ALL, and rewinds nothing');
    $npgsql->send(query('SET testpool.rewind = now'), execute('count'), sync());
    is_deeply([ map { join ' ', $npgsql->answers } 1 .. 2 ], [ 'SET', '100 SELECT 1' ], 'the command does');
};

subtest 'a pipeline is a transaction' => sub {
    my $client = client();
    is_deeply([ $client->ask(query('SELECT 1; SET testpool.rewind = now')) ], [ '1', 'SELECT 1', 'error 25001' ],
        'the command stands by itself');
    is_deeply([ $client->ask(query('SELECT 2')) ], [ '2', 'SELECT 1' ], 'the session goes on');
};

subtest 'somebody else rewinds while a driver sends' => sub {
    my @clients = map { client() } 1 .. 4;
    $_->ask(parse('count', $count), parse('insert', $insert), sync()) for @clients;
    for my $round (1 .. 20)
    {
        $_->send(execute('insert', 'happy'), sync()) for @clients;
        my $home = $test->node->session;
        $home->send("SELECT testpool.rewind('$database')");
        $_->send(execute('count'), sync()) for @clients;
        $home->result;
        for my $client (@clients)
        {
            my @inserted = $client->answers;
            my @counted = $client->answers;
            next if "@inserted" eq 'INSERT 0 1' && $counted[0] >= 100 && $counted[0] <= 104;
            fail("round $round: @inserted, @counted");
        }
        my @after = $clients[0]->ask(execute('count'), sync());
        fail("round $round: @after") if $after[0] > 104;
        $test->node->query("SELECT testpool.rewind('$database')");
    }
    is_deeply([ $_->ask(execute('count'), sync()) ], [ '100', 'SELECT 1' ], 'nobody has heard an error') for @clients;
};

is($test->node->query("SELECT sessions_ended FROM testpool.databases WHERE database = '$database'"), '', 'no session was ended');
$test->equals($database, 'the end');
$test->finish;
