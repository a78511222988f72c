# A live rewind: the database becomes equal to its template again, page by page, under the sessions
# that are connected to it; and what they remember of it is right afterwards.
use v5.20;
use warnings FATAL => 'all';
use experimental 'signatures';

use RewindTest;
use Test::More;

my $test = RewindTest->begin(
    'live',
    unlogged => 1,
    conf => "testpool.rewind_timeout = '60s'\n",
    content => <<'SQL');
CREATE TYPE mood AS ENUM ('sad', 'happy');
CREATE TYPE pair AS (a int, b int);
CREATE FUNCTION g() RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN 1; END';
CREATE UNLOGGED TABLE fast (a int);
INSERT INTO fast VALUES (1);
SQL
my $node = $test->node;
my $database = $test->acquire;
my @sessions = $node->sessions(3, database => $database);
my ($one, $two, $three) = @sessions;

# Passes if the sessions are still there, it was a rewind, and the database equals its template.
sub is_rewound_by ($what, $rewind)
{
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    $rewind->();
    is(join(' ', map { $_->query('SELECT pg_backend_pid()') } @sessions),
        join(' ', map { $_->{pid} } @sessions), "$what: the sessions stay");
    is($test->way_of($database), 'rewind', "$what: it was rewound");
    $test->equals($database, $what);
    return;
}

sub is_rewound ($what)
{
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return is_rewound_by($what, sub { $node->query("SELECT testpool.rewind('$database')") });
}

$one->query("INSERT INTO big (t) SELECT 'mine' FROM generate_series(1, 20)");
$two->query("UPDATE big SET t = 'yours' WHERE id <= 10");
is($three->query('SELECT count(*) FROM big'), 5020, 'rows were written');
is_rewound('rows');
is($_->query('SELECT count(*), max(id) FROM big'), '5000|5000', 'a session sees the rows of the template')
  for @sessions;

$one->query('INSERT INTO bare SELECT 7');
is_rewound_by('SET testpool.rewind', sub { $one->query('SET testpool.rewind = now') });
is($two->query('SELECT count(*) FROM bare WHERE a = 7'), 1, 'rows of another session are gone, too');

$one->query('INSERT INTO bare SELECT 7');
$one->query('DISCARD ALL');
is($two->query('SELECT count(*) FROM bare WHERE a = 7'), 2, 'DISCARD ALL rewinds nothing by itself');
$one->query('SET testpool.rewind_on_discard = on');
is_rewound_by('DISCARD ALL', sub { $one->query('DISCARD ALL') });
is($one->query('SHOW testpool.rewind_on_discard'), 'off', 'it resets the setting as any other');

is_rewound('nothing');

subtest 'prepared statements and plans' => sub {
    $one->query('PREPARE by_id AS SELECT t FROM big WHERE id = $1');
    $one->query('PREPARE all_of AS SELECT * FROM bare ORDER BY 1 LIMIT 2');
    $one->query('SET plan_cache_mode = force_generic_plan');
    is($one->query('EXECUTE by_id(3)'), ('x' x 100) . '3', 'prepared');
    $one->query('EXECUTE all_of');
    $two->query('DROP INDEX big_t_idx; CREATE INDEX ON big (t, id)');
    $two->query('ALTER TABLE bare ADD COLUMN b int DEFAULT 5');
    $two->query("UPDATE big SET t = 'else' WHERE id = 3");
    is($one->query('EXECUTE by_id(3)'), 'else', 'planned for the changed table');
    is_rewound('plans');
    is($one->query('EXECUTE by_id(3)'), ('x' x 100) . '3', 'planned anew');
    is($one->query('EXECUTE all_of'), "1\n2", 'with the columns of the template');
    $one->query('CREATE TABLE soon_gone (a int)');
    $one->query('PREPARE gone AS SELECT * FROM soon_gone');
    is_rewound('a plan for a table that is no more');
    is($one->try_query('EXECUTE gone')->{error}{sqlstate}, '42P01', 'its table does not exist');
    is($one->query("SELECT count(*) FROM big WHERE t LIKE 'x%'"), 5000, 'an index is right');
};

subtest 'types and functions' => sub {
    $_->query("SELECT g(), f(), ARRAY['sad', 'happy']::mood[], (1, 2)::pair, 'sad'::mood < 'happy'::mood")
      for @sessions;
    $one->query("ALTER TYPE mood ADD VALUE 'mad' BEFORE 'sad'");
    $one->query("ALTER TYPE mood RENAME VALUE 'happy' TO 'glad'");
    $one->query('ALTER TYPE pair ADD ATTRIBUTE c int');
    $one->query("CREATE OR REPLACE FUNCTION g() RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN 2; END'");
    $one->query("CREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 3'");
    is($two->query("SELECT g(), f(), 'mad'::mood < 'sad'::mood, (1, 2, 3)::pair"), '2|3|t|(1,2,3)', 'changed');
    is_rewound('types');
    for my $session (@sessions)
    {
        is($session->query("SELECT g(), f(), (1, 2)::pair, 'sad'::mood < 'happy'::mood"), '1|1|(1,2)|t', 'as before');
        is($session->try_query("SELECT 'mad'::mood")->{error}{sqlstate}, '22P02', 'a value is gone');
    }
    $two->query("ALTER TYPE mood ADD VALUE 'bad' AFTER 'sad'");
    is($one->query("SELECT 'sad'::mood < 'bad'::mood AND 'bad'::mood < 'happy'::mood"), 't', 'another one sorts right');
    is_rewound('types again');
};

subtest 'sequences' => sub {
    $one->query('ALTER SEQUENCE numbers CACHE 10');
    is($one->query("SELECT nextval('numbers'), nextval('numbers')"), '2|3', 'numbers that are cached');
    is_rewound('a sequence');
    is($one->query("SELECT nextval('numbers')"), 2, 'they are not used afterwards');
    is($two->query("SELECT nextval('numbers')"), 3, 'nor is one given out twice');
    is_rewound('a sequence without cache');
    is($one->try_query("SELECT currval('numbers')")->{error}{sqlstate}, '55000', 'currval is undefined, as in a new session');
};

subtest 'what a session has stays with it' => sub {
    my $notified = $two;
    $two->query('LISTEN news');
    $one->query("SET work_mem = '5MB'; SET search_path = pg_catalog, public");
    $one->query('SELECT pg_advisory_lock(77)');
    $one->query("BEGIN; DECLARE c CURSOR WITH HOLD FOR SELECT id FROM big ORDER BY id; FETCH 2 FROM c; COMMIT");
    is_rewound('sessions with state');
    is($one->query('SHOW work_mem'), '5MB', 'settings');
    is($two->query('SELECT pg_try_advisory_lock(77)'), 'f', 'advisory locks');
    is($one->query('FETCH 1 FROM c'), 3, 'cursors that are held');
    like($one->query("NOTIFY news, 'x'"), qr/^$/, 'somebody notifies');
    like($two->query('SELECT 1'), qr/notification "news"/, 'LISTEN');
    $one->query('CLOSE c; RESET ALL; SELECT pg_advisory_unlock_all()');
    $two->query('UNLISTEN *');
};

subtest 'what shared catalogs say' => sub {
    $one->query("ALTER DATABASE $database SET work_mem = '1MB'; ALTER DATABASE $database CONNECTION LIMIT 7");
    $one->query("COMMENT ON DATABASE $database IS 'mine'; REVOKE CONNECT ON DATABASE $database FROM PUBLIC");
    $one->query("CREATE ROLE dependent; GRANT SELECT ON big TO dependent; ALTER DATABASE $database OWNER TO dependent");
    is_rewound('the database itself');
    $one->query('DROP ROLE dependent');
    $node->query("ALTER SYSTEM SET testpool.private = on; SELECT pg_reload_conf()" =~ s/; /;\n/r);
    $node->becomes_true("SELECT current_setting('testpool.private')::bool", 'leases are private');
    $node->query("SELECT testpool.rewind('$database')");
    $node->query('CREATE ROLE stranger LOGIN');
    $node->connect_fails($node->connection(database => $database, user => 'stranger'), 'a private lease stays private',
        expected_stderr => qr/permission denied for database/);
    $one->query('INSERT INTO bare VALUES (1)');
    $node->query("SELECT testpool.rewind('$database')");
    $node->connect_fails($node->connection(database => $database, user => 'stranger'), 'always',
        expected_stderr => qr/permission denied for database/);
    $node->query("ALTER SYSTEM RESET testpool.private;\nSELECT pg_reload_conf()");
    $node->becomes_true("SELECT NOT current_setting('testpool.private')::bool", 'leases are open');
    $node->query('DROP ROLE stranger');
};

for my $what (
    'TRUNCATE big', 'VACUUM FULL pg_class', 'VACUUM FULL big', 'REINDEX TABLE pg_attribute', 'CLUSTER big USING big_pkey',
    'DROP SCHEMA public CASCADE', 'CREATE EXTENSION pageinspect', 'TRUNCATE fast; INSERT INTO fast SELECT 2',
    'DELETE FROM big; VACUUM big', 'ALTER TABLE big ALTER COLUMN id TYPE bigint',
    "SELECT lo_from_bytea(0, 'more'); SELECT lo_unlink(7000)",
    "INSERT INTO wide SELECT i, repeat(md5(i::text), 300) FROM generate_series(50, 90) i; DELETE FROM wide WHERE id < 60",
    'DROP TABLE big, bare, part CASCADE; CREATE TABLE big (a text); CREATE TABLE bare AS SELECT 1 FROM generate_series(1, 10000)')
{
    # Each session has all in its caches.
    $_->query('SELECT (SELECT count(*) FROM big WHERE id > 0), (SELECT sum(length(d)) FROM wide), (SELECT count(*) FROM fast),
      (SELECT count(*) FROM part), (SELECT count(*) FROM bare), lo_get(7000)') for @sessions;
    $two->query($what);
    is_rewound($what);
    is($_->query("SELECT (SELECT count(*) FROM big WHERE id > 0), (SELECT count(*) FROM big WHERE t LIKE 'x%'),
      (SELECT sum(length(d)) FROM wide), (SELECT string_agg(a::text, ' ') FROM fast), (SELECT count(*) FROM part),
      (SELECT count(*) FROM bare), lo_get(7000)"),
        '5000|5000|192000|1|200|1000|\x61206c61726765206f626a656374', "$what: what is read") for @sessions;
    $three->query('INSERT INTO big (t) SELECT i::text FROM generate_series(1, 3000) i');
    is($one->query('SELECT count(*), max(id) FROM big'), '8000|8000', "$what: what is written");
    is_rewound("$what, and rows");
}

$test->finish;
