# Calls of all functions with arguments that somebody may make up who means no good. Each is answered,
# or refused with an error that the reference knows; afterwards everything is as before.
# SEED and CALLS in the environment: other calls, or more of them.
use v5.20;
use experimental 'signatures';
use warnings FATAL => 'all';

use PostgreSQL::Test::Utils;
use Test::More;
use TestpoolCluster;

my $seed  = srand($ENV{SEED} // 1);
my $calls = $ENV{CALLS} // 400;
note("SEED=$seed CALLS=$calls");

my $node = TestpoolCluster->begin('arguments', conf => <<'CONF');
testpool.pool_max = 4
testpool.acquire_timeout = '50ms'
testpool.template_timeout = '50ms'
CONF

# Calls as the role that asks, and takes back what was granted.
$node->query(<<'SQL');
CREATE ROLE holder LOGIN; CREATE ROLE stranger LOGIN;
GRANT USAGE ON SCHEMA testpool TO holder, stranger;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA testpool TO holder, stranger;
CREATE SCHEMA attempt;
GRANT USAGE ON SCHEMA attempt TO PUBLIC;
CREATE FUNCTION attempt.call(expression text, OUT state text, OUT message text, OUT hint text)
LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE 'SELECT ' || expression;
    RAISE EXCEPTION USING ERRCODE = 'ANSWR', MESSAGE = 'answered', HINT = 'none';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, hint = PG_EXCEPTION_HINT;
END $$;
SQL

# --- what is made up ----------------------------------------------------------------------------

my @texts = (
    undef, '', ' ', 'postgres', 'template0', 'template1', 'PG_CATALOG', 'testpool_', 'testpool_9_9',
    'testpool_template_1', 'name~token', '~', q{it's}, q{"postgres"}, q{'; DROP DATABASE postgres; --},
    '%s%n%d', '\\', '$1', "two\nlines", "\t\x01\x7f", '../../base/1', 'größe', '日本語', '🐘',
    'x' x 63, 'x' x 64, 'é' x 31, 'é' x 32, 'x' x 1024, 'x' x 1025, 'é' x 512, 'é' x 513, 'x' x 100_000);
my @intervals = (
    undef, '0', '1 microsecond', '1 ms', '-1 ms', '-178000000 years', '178000000 years',
    '2147483647 days', '1 month -30 days', 'infinity', '-infinity', 'soon');
my @counts = (undef, -2147483648, -1, 0, 1, 4, 5, 2147483647, 2147483648);

sub literal ($value) { return defined $value ? q{'} . $value =~ s/'/''/gr . q{'} : 'NULL' }
sub one_of (@values) { return $values[ rand @values ] }

my $text     = sub (@more) { literal(one_of(@texts, @more)) . '::text' };
my $interval = sub (@) { literal(one_of(@intervals)) . '::interval' };
my $count    = sub (@) { literal(one_of(@counts)) . '::integer' };
my %arguments = (
    init_template => [ $text, $text, $text ], finalize => [$text], discard => [ $text, $text ],
    alias => [ $text, $text ], acquire => [ $text, $interval ], release => [$text],
    recreate => [$text], keep => [ $text, $text ], url => [$text], prewarm => [ $text, $count ],
    advice => [], reset_stats => [], version => [], tallies => [], created => []);

sub made_up_call (@more)
{
    my $function = one_of(sort keys %arguments);
    return "testpool.$function(" . join(', ', map { $_->(@more) } @{ $arguments{$function} }) . ')';
}

# --- what must stay -----------------------------------------------------------------------------

$node->build('app', 'CREATE TABLE t AS SELECT 7 AS v', user => 'holder');
my $holder = $node->session(user => 'holder');
my $leased = $holder->query(q{SELECT testpool.acquire('app', '1 min')});
my $inside = $node->session(user => 'holder', database => $leased);
$inside->query('CREATE TEMP TABLE mine AS SELECT 8 AS w');
$node->settle;

sub state_of_things
{
    $node->settle;
    return $node->query(<<'SQL');
SELECT hash, name, state, database, owner FROM testpool.templates WHERE state <> 'discarded' ORDER BY 1;
SELECT database, state, role, pid, generation FROM testpool.databases WHERE state <> 'ready' ORDER BY 1;
SELECT datname, datallowconn, datistemplate, datdba, datacl FROM pg_database
 WHERE NOT starts_with(datname, 'testpool_') ORDER BY 1;
SELECT rolname FROM pg_roles ORDER BY 1;
SELECT count(*) FROM pg_class WHERE relnamespace = 'testpool'::regnamespace;
SQL
}
my $before = state_of_things();

# --- the calls ----------------------------------------------------------------------------------

# 22007, 22008 and 22003 are PostgreSQL's: no interval, no integer.
my %known = map { $_ => 1 } qw(ANSWR 22007 22008 22003 22023 42501 42704 42P08 53400 55000 55P03);

sub try_calls ($role, @more)
{
    my @calls  = map { made_up_call(@more) } 1 .. $calls;
    my $answer = $node->query(
        "SELECT i, state, left(message, 200), hint
           FROM unnest(ARRAY[" . join(', ', map { literal($_) } @calls) . "]) WITH ORDINALITY c(call, i),
                LATERAL attempt.call(call)", user => $role);
    my (@unknown, @untidy, %seen);
    for my $row (split /\n(?=\d+\|)/, $answer)
    {
        my ($i, $state, $message, $hint) = split /\|/, $row, 4;
        my $told = substr($calls[ $i - 1 ], 0, 200) . ": $row";
        $seen{$state}++;
        push @unknown, $told unless $known{$state};
        push @untidy, $told if $state !~ /^2200/ && ($message !~ /^[a-z]/ || $hint eq '');
    }
    is_deeply(\@unknown, [], "$role: no error but those that the reference knows");
    is_deeply(\@untidy, [], "$role: each in lower case, and with a hint");
    cmp_ok(scalar keys %seen, '>=', 4, "$role: there were " . join ', ', map { "$seen{$_} $_" } sort keys %seen);
    is(state_of_things(), $before, "$role: afterwards all is as before");
}

try_calls('stranger', 'app', $leased);
try_calls('postgres');  # may do everything, and so is told of nobody's
is($inside->query('SELECT v + w FROM t, mine'), 15, 'the holder is still in its database');
is($holder->query("SELECT state FROM testpool.databases WHERE database = '$leased'"), 'leased',
    'which is still leased');
unlike(slurp_file($node->logfile), qr/ (?:ERROR|FATAL|PANIC):  (?:.*)(?:cache lookup|could not open|unexpected)/,
    'the log tells of no internal error');

$_->quit for $holder, $inside;
$node->finish;
