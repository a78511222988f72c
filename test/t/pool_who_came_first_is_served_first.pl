# Acquires that wait for a clone are served in the order in which they came, also when one of them
# gives up, and when they wait by name.
use v5.20;
use warnings FATAL => 'all';
use experimental 'signatures';

use IPC::Run;
use Test::More;
use TestpoolCluster;

my $node = TestpoolCluster->begin('queue', conf => <<CONF);
testpool.pool_size = 1
testpool.pool_max = 1
CONF
$node->build('app');
$node->query(q{SELECT testpool.alias('shop', 'app')});
$node->settle;

my ($holder, @waiting) = $node->sessions(5);

# All of them wait, one after the other.
sub queue_up (@sessions)
{
    $holder->query(q{SELECT testpool.acquire('app')});
    for my $session (@sessions)
    {
        $session->send(q{SELECT testpool.acquire('app')});
        $node->wait_until_waiting($session);
    }
}

# The only clone goes from hand to hand; whoever is to have it next is alone in having it.
sub served_in_order ($what, @sessions)
{
    my ($last, @order) = $holder;
    while (my $next = shift @sessions)
    {
        $last->query('SELECT testpool.release()');
        push @order, $next->result->{out} ne '' && !(grep { $_->answered } @sessions) ? 'next' : 'wrong';
        $last = $next;
    }
    $last->query('SELECT testpool.release()');
    is("@order", join(' ', ('next') x @order), $what);
    $node->settle;
}

queue_up(@waiting);
served_in_order('four acquires are served in the order in which they came', @waiting);

queue_up(@waiting);
$node->query("SELECT pg_cancel_backend($waiting[1]{pid})");
is($waiting[1]->result->{error}{sqlstate}, '57014', 'one of them gives up');
served_in_order('the others keep their places', @waiting[ 0, 2, 3 ]);

# --- a client that connects has its place, too ------------------------------------------------

queue_up($waiting[0]);
my $client = IPC::Run::start([ 'psql', '-XAtqc', q{SELECT current_database(), pg_sleep(0)},
        '-d', $node->connection(database => 'shop~queued') ], '>', \my $database, '2>', \my $errors);
$node->wait_for_connection_to('shop~queued');
$waiting[1]->send(q{SELECT testpool.acquire('app')});
$node->wait_until_waiting($waiting[1]);
$holder->query('SELECT testpool.release()');
ok($waiting[0]->result->{out}, 'who came before the client is served before it');
$waiting[0]->query('SELECT testpool.release()');
$client->finish;
is($database, "shop~queued|\n", 'then the client') or diag($errors);
ok(!$waiting[1]->answered, 'while who came after it waits');
$node->query(q{SELECT testpool.release('shop~queued')});
ok($waiting[1]->result->{out}, 'and is the last');
$waiting[1]->query('SELECT testpool.release()');

$node->finish;
