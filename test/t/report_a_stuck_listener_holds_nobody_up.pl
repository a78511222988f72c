# Somebody listens and does not read, until the server's queue of notifications is half full, and then
# full. What testpool has to tell is lost meanwhile, but no call fails or waits, and it does not fill the
# queue any further; when there is room again it goes on telling.
use v5.20;
use warnings FATAL => 'all';
use experimental 'signatures';

use JSON::PP;
use Test::More;
use TestpoolCluster;

my $node = TestpoolCluster->begin('stuck', conf => "testpool.pool_size = 1\ntestpool.notify = on\n");
if ($node->query(q{SELECT count(*) FROM pg_settings WHERE name = 'max_notify_queue_pages'}) == 0)
{
    SKIP: { skip 'before PostgreSQL 17 the queue has 8 GB', 1 }
    $node->finish;
    exit;
}
$node->append_conf('postgresql.conf', 'max_notify_queue_pages = 64');
$node->restart;

sub usage () { return $node->query('SELECT pg_notification_queue_usage()'); }

my ($listener, $filler, $client) = $node->sessions(3);
# From PostgreSQL 19 on, only notifications that a listener wants stay in the queue for it.
$listener->query('LISTEN testpool; LISTEN filler');
$listener->query('BEGIN');    # a session reads between transactions

# A whole life, each step of which is an event.
sub live ()
{
    $client->query(q{SELECT testpool.init_template('app')});
    $client->query(q{SELECT testpool.finalize('app')});
    for (1 .. 20)
    {
        $client->query(q{SELECT testpool.acquire('app', '30 s')});
        $client->query('SELECT testpool.release()');
    }
    my $kept = $client->query(q{SELECT testpool.acquire('app')});
    $client->query("SELECT testpool.keep('$kept', repeat('x', 1000))");
    $client->query("SELECT testpool.release('$kept')");
    $client->query(q{SELECT testpool.discard('app', 'it is over')});
    $node->settle;
}

for (1 .. 100)
{
    $filler->query(q{SELECT pg_notify('filler', repeat('x', 7900))});
    last if usage() >= 0.5;
}
my $half = usage();
cmp_ok($half, '>=', 0.5, 'the queue is half full');
live();
is(usage(), $half, 'a life goes on while the queue is half full, and adds nothing to it');

my $full;
for (1 .. 100)
{
    $full = $filler->try_query(q{SELECT pg_notify('filler', repeat('x', 7900))})->{error} and last;
}
is($full->{sqlstate}, '54000', 'now others cannot send any more');
live();
is($node->query(q{SELECT failures FROM testpool.stats WHERE hash = 'app'}), 0, 'a life goes on while it is full');

$listener->query('COMMIT');
$node->becomes_true('SELECT pg_notification_queue_usage() < 0.5', 'the listener reads');
$listener->query('SELECT 1');
$client->query(q{SELECT testpool.init_template('next')});
my @heard;
TestpoolCluster::wait_until('a notification', sub {
    push @heard, map { decode_json($_) } $listener->query('SELECT 1') =~ /"testpool" with payload "(\{.*\})" received/mg;
    return @heard;
});
is_deeply([ map { "$_->{event} $_->{hash}" } @heard ], ['claimed next'], 'and is told what happens from then on');

$_->quit for $listener, $filler, $client;
$node->finish;
