# Some file systems do not let the server set the times of files (in containers, over a network), or keep
# them in whole seconds, or round them. Clones are made and rewound there all the same. A small library
# in front of the C library plays these file systems.
use v5.20;
use experimental 'signatures';
use warnings FATAL => 'all';

use PostgreSQL::Test::Utils;
use RewindTest;
use Test::More;

my $folder = PostgreSQL::Test::Utils::tempdir;
append_to_file("$folder/times.c", <<'C');
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
static int is_server;
__attribute__((constructor)) static void look(void)
{
    is_server = strcmp(program_invocation_short_name, "postgres") == 0;
}
int utimensat(int folder, const char* path, const struct timespec times[2], int flags)
{
    const char* kept = getenv("TIMES_KEPT");
    if (!is_server) return (int)syscall(SYS_utimensat, folder, path, times, flags);
    struct timespec two[2] = {times[0], times[1]};
    if (strcmp(kept, "none") == 0) return errno = EPERM, -1;
    two[0].tv_nsec = two[1].tv_nsec = 0;
    if (strcmp(kept, "minutes") == 0) two[1].tv_sec -= two[1].tv_sec % 60;
    return (int)syscall(SYS_utimensat, folder, path, two, flags);
}
C
my $compiler = (grep { system("command -v $_ >/dev/null") == 0 } qw(cc gcc clang))[0];
plan skip_all => 'there is no C compiler' unless $compiler;
system_or_bail($compiler, '-shared', '-fPIC', '-o', "$folder/times.so", "$folder/times.c");
chmod 0755, $folder;

my $unlogged = 'CREATE UNLOGGED TABLE fast (a int PRIMARY KEY); ';
my $more = 'more';
for my $kept (qw(none minutes seconds))
{
    local $ENV{LD_PRELOAD} = "$folder/times.so";
    local $ENV{TIMES_KEPT} = $kept;
    my $stamps = $kept eq 'seconds';
    my $t = RewindTest->begin($kept, content => $unlogged);
    my $node = $t->node;
    like($node->query('SELECT strategy_reason FROM testpool.templates'),
        $stamps ? qr/cannot be shared; fsync/ : qr/shared and no times of files are kept; fsync/, "$kept: the template tells");
    my @lines = PostgreSQL::Test::Utils::slurp_file($node->logfile) =~ /does not keep the times that are set for files/g;
    cmp_ok(scalar @lines, $stamps ? '==' : '>=', !$stamps, "$kept: so does the log");
    cmp_ok(scalar @lines, '<=', 2, "$kept: once for each process that looks");

    $t->is_put_back("$kept: changed rows", 'rewind', 'UPDATE big SET t = t || id WHERE id % 10 = 0', 'INSERT INTO fast VALUES (1)');
    $t->is_put_back("$kept: much", 'rewind', 'TRUNCATE big', 'DROP TABLE wide', 'CREATE TABLE other AS SELECT 1');
    my $temporary = 'CREATE TEMPORARY TABLE t AS SELECT 1';    # so every file is looked at
    $t->is_put_back("$kept: after a look at every file", 'rewind', $temporary, 'DELETE FROM bare WHERE a < 10');
    my $offset = -s $node->logfile;
    my $database = $t->acquire;
    $t->use_database($database, $temporary, 'INSERT INTO empty VALUES (1)');
    $t->give_back($database);
    unlike(PostgreSQL::Test::Utils::slurp_file($node->logfile, $offset), qr/checkpoint starting/, "$kept: which asks for no checkpoint");

    $node->query(q{SELECT testpool.discard('app')});
    $node->settle;
    $t->build('rows', $unlogged . 'INSERT INTO fast SELECT generate_series(1, 1000)');
    $t->is_put_back("$kept: rows of an unlogged table", $stamps ? 'rewind' : 'clone', 'DELETE FROM fast');
    $node->build('empty', $unlogged);
    $node->settle;
    $node->query('CHECKPOINT');
    $node->stop('immediate');
    $node->start;
    $node->becomes_true(q{SELECT state = 'discarded' FROM testpool.template WHERE hash = 'rows'},
        "$kept: a crash discards the template that has lost rows");
    is($node->query(q{SELECT state FROM testpool.templates WHERE hash = 'empty'}), 'finalized', "$kept: and no other");
    $more = '' if $kept eq 'seconds';
    $t->finish(more => $more);
}
