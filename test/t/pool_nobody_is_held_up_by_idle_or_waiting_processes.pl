# CREATE, ALTER and DROP DATABASE of others, and a shutdown, make every process of the server take
# note: testpool's idle processes and the sessions that wait in its functions do so at once.
use v5.20;
use warnings FATAL => 'all';

use PostgreSQL::Test::Utils;
use Test::More;
use TestpoolCluster;

my $node = TestpoolCluster->begin('others', conf => <<CONF);
testpool.workers = 4
testpool.acquire_timeout = '1h'
testpool.template_timeout = '1h'
CONF
$node->build('app');
$node->settle;

# Sessions that wait in each function that can wait for long.
sub start_waiting
{
    my ($builder, @waiting) = $node->sessions(4);
    $builder->query(q{SELECT testpool.init_template('slow')});
    $waiting[0]->send(q{SELECT testpool.init_template('slow')});
    $waiting[1]->send(q{SELECT testpool.acquire('slow')});
    $waiting[2]->send(q{SELECT testpool.prewarm('slow', 1)});
    $node->wait_until_waiting(@waiting);
    return ($builder, @waiting);
}

my ($builder, @waiting) = start_waiting();

# The barriers of these commands wait for every process.
my $bounded = q{SET statement_timeout = '30s'; SET allow_in_place_tablespaces = on;};
for my $command (
    q{CREATE DATABASE other STRATEGY file_copy},
    q{ALTER DATABASE other RENAME TO another},
    q{CREATE TABLESPACE elsewhere LOCATION ''},
    q{ALTER DATABASE another SET TABLESPACE elsewhere},
    q{ALTER DATABASE another SET TABLESPACE pg_default},
    q{DROP TABLESPACE elsewhere},
    q{ALTER DATABASE another ALLOW_CONNECTIONS false},
    q{DROP DATABASE another},
    q{CREATE DATABASE by_wal STRATEGY wal_log},
    q{DROP DATABASE by_wal WITH (FORCE)})
{
    my $error = $node->error_of("$bounded $command");
    is($error, undef, "$command is not held up") or diag(explain($error));
}
is(scalar(grep { $_->answered } @waiting), 0, 'the sessions that wait go on waiting');

# --- waits end when they are told to ------------------------------------------------------------

for my $session (@waiting)
{
    $node->query("SELECT pg_cancel_backend($session->{pid})");
    is($session->result->{error}{sqlstate}, '57014', 'a session that waits can be cancelled');
}
$waiting[0]->query(q{SET statement_timeout = '100ms'});
is($waiting[0]->try_query(q{SELECT testpool.acquire('slow')})->{error}{sqlstate},
    '57014', 'a wait ends at statement_timeout');
$waiting[0]->query('RESET statement_timeout');
$waiting[0]->send(q{SELECT testpool.acquire('slow')});
$node->wait_until_waiting($waiting[0]);
$node->query("SELECT pg_terminate_backend($waiting[0]{pid})");
ok($waiting[0]->result->{ended}, 'a session that waits can be terminated');
$waiting[1]->send(q{SELECT testpool.acquire('slow')});
$node->wait_until_waiting($waiting[1]);
$waiting[1]->kill_client;
$builder->query(q{SELECT testpool.discard('slow')});
$_->quit for $builder, @waiting[ 0, 2 ];

# --- shutdown -----------------------------------------------------------------------------------

local $ENV{PGCTLTIMEOUT} = 30;
($builder, @waiting) = start_waiting();
ok($node->stop('fast', fail_ok => 1), 'a fast shutdown is not held up by sessions that wait');
$_->quit for $builder, @waiting;
$node->start;
$node->query(q{SELECT testpool.discard('slow')});
$node->settle;
ok($node->stop('smart', fail_ok => 1), 'a smart shutdown is not held up by idle workers');
$node->start;

# --- busy checkpoints ---------------------------------------------------------------------------

# A process that waits for a page that the checkpointer writes puts interrupts off until later; they
# must not be forgotten when it is idle afterwards. Few buffers make it wait often.
$node->append_conf('postgresql.conf', "shared_buffers = '2MB'\ntestpool.recycle = recreate");
$node->restart;
my ($test, $checkpoints) = $node->sessions(2);
$checkpoints->send(q{SET client_min_messages = error;
DO $$ BEGIN WHILE NOT EXISTS (SELECT FROM pg_class WHERE relname = 'enough') LOOP
    CHECKPOINT; COMMIT; END LOOP; END $$});
$test->query($bounded);
my $dropped = 0;
for my $round (1 .. 40)
{
    $test->query(q{SELECT testpool.acquire('app')});
    $test->query('SELECT testpool.release()');
    $test->query("CREATE DATABASE d$round");
    last if $test->try_query("DROP DATABASE d$round")->{error};
    $dropped++;
}
is($dropped, 40, 'DROP DATABASE is not held up by workers that were busy a moment ago');
$node->query('CREATE TABLE enough ()');
$checkpoints->result;
$_->quit for $test, $checkpoints;

$node->finish;
