// Shared memory, where processes leave word for each other. It holds only what is
// true while the server runs; what must survive a restart is in the catalog.
//
//   request slot   one for each server process: a session's request to the launcher, and the reply
//   lease  one for each database that clients may be in: whose it is, when someone last left it
//   worker slot    one for each worker: the job it has, and how that ended
//   tally  one for each template: what was counted (tally.h)
#pragma once

#include "pg/server.h"
#include "strategy.h"

namespace testpool {

constexpr size_t longest_hash = 1024;  // bytes
// Discarded templates are remembered for their reason until there are so many.
constexpr int remembered_templates = 200;

enum class Verb : uint8 {
    init_template,
    finalize,
    discard,
    acquire,
    release,  // only asked when the lease is not in shared memory: the answer says why
    recreate,
    rewind,  // under the sessions that are in the database
    keep,
    diff,
    prewarm,
    reset,
    connect,  // a client has authenticated and wants a database of a name: see connection.h
    alias,
    renew,
    knows,  // is that database, by OID, one of testpool's?
};

/// A session, told apart from later ones of the same process id, or process.
struct Session {
    int32 pid = 0;
    TimestampTz since = 0;
    bool operator==(const Session&) const = default;
};

struct Request {
    Verb verb;
    bool has_hash;
    bool has_base;
    bool has_text;
    bool superuser;
    bool accepted;  // the launcher's note: begun, not yet answered
    int64 lease;    // the same: which lease that is about; see LeaseKey
    Oid oid;        // of a database
    Oid role;
    int32 count;
    int32 visit_grace;     // ms; -1: the session holds what it gets
    int32 arrival_grace;   // ms
    uint64 ticket;         // order of arrival
    TimestampTz since;     // when it was asked
    TimestampTz deadline;  // 0: none
    Session session;
    char hash[longest_hash + 1];
    char base[longest_hash + 1];
    char text[longest_hash + 1];  // a template's name, or a reason
    NameData database;
    char application[NAMEDATALEN];
    char client[NAMEDATALEN];
};

/// Names a lease, or a claim, and no other that ever was or will be: the moment when it began, a
/// claim's negated. Whoever knows a lease that is over cannot do anything to a later one of the
/// same database. 0: none.
using LeaseKey = int64;

struct Reply {
    int sqlstate;  // 0: success
    bool null;
    int32 count;
    LeaseKey granted;  // that is handed over with it
    LeaseKey subject;  // the lease that was asked about
    Oid oid;           // of its database, if that is asked for
    Oid source;        // what that was copied from
    NameData database;
    char message[1024];
    char detail[2048];
    char hint[512];
};

enum class LeaseKind : uint8 { claim, lease, kept };
enum class LeaseEnd : uint8 { none, released, rolled_back, abandoned };

struct Lease {
    LeaseKey key;
    Oid oid;
    NameData database;
    Oid role;
    Session session;
    LeaseKind kind;
    LeaseEnd end;
    bool orphaned;              // its session is gone: the launcher wants to hear who leaves
    bool detached;              // it was never its session's: `grace` counts from the last visit
    int32 grace;                // ms
    TimestampTz arrival;        // no sooner is it over, unless somebody has been there
    TimestampTz last_seen;      // when its session, or one in the database, was last known there
    TimestampTz awaited_until;  // a client was let in, and is there by then
};

enum class Task : uint8 { none, create, drop, seal, rewind, reseal };
enum class JobPhase : uint8 { idle, assigned, running, done };
/// What a worker is at, within a job.
enum class Phase : uint8 {
    starting,
    ending_sessions,
    copying,
    completing,
    writing,
    looking,
    checkpoint,
    putting_back,
    vacuuming,
    dropping,
};
enum class VacuumTask : uint8 {
    none,
    vacuum,           // freeze and analyze
    freeze,           // without new statistics
    freeze_catalogs,  // and nothing else
    evict,
    connect,
};

/// How old a template was when it was finalized. What has moved on since must not be mixed with
/// its clones.
struct Seal {
    XLogRecPtr at;  // no page is younger
    TransactionId frozen_xid;
    MultiXactId min_mxid;
    int64 fingerprint;  // of the names and lengths of its files, and of which are void
    int32 files;        // how many they are
    TransactionId by;   // which wrote the row of the database, and nobody has since
    bool operator==(const Seal&) const = default;
};

struct Job {
    Task task;
    bool of_template;  // `row` is of testpool.template, else of testpool.database
    bool connectable;  // of a database to create
    bool confirmed;    // the database is known to have been created by us under this OID
    bool vacuum;       // when sealing; else only what everybody reads
    bool prepare;      // make it possible to rewind what is created
    bool slow;         // see plan.h
    bool live;         // sessions stay in the database, or hear why they cannot
    int32 grace;       // how long they may take to end a transaction, in ms
    int64 row;
    Oid oid;
    Oid owner;       // of a database to create; invalid: its source's owner; live: whose it is
    Oid source;      // what to create it from; invalid: `source_name`
    Oid tablespace;  // of source and copy
    Copying copying;
    Seal seal;  // of the source, or of what is sealed again
    NameData name;
    NameData source_name;
    NameData new_name;  // of a rewound database
    char why[256];      // it cannot be rewound
    uint64 barrier;     // that an earlier try waited for; 0: none
};

/// How a job, or a vacuum worker, ended.
struct Outcome {
    int sqlstate;     // 0: success
    uint64 barrier;   // not 0: the rewind is to be tried again when all have answered it
    bool held_up;     // it failed while somebody did not answer
    int64 bytes;      // size of a sealed template
    Seal seal;        // of a sealed template
    bool rewindable;  // a created clone can be rewound; else `message` says why not
    bool drifted;     // the template is not what was sealed: `message` says why
    bool unwatched;   // the files of a rewound one cannot be watched
    bool stampless;   // those of a created or sealed one keep no times
    int32 relations;  // put back by a rewind
    int64 pages;
    bool catalogs;  // pages of catalogs are among them
    int32 ended;    // sessions
    int64 microseconds;
    char message[1024];
    char ended_why[256];       // the first of them
    int32 unanalyzed;          // relations of a sealed template
    char unanalyzed_why[512];  // the first of them
};

/// How far a worker has come.
struct Progress {
    int pid;  // 0: no such worker
    Job job;  // its task is none if it has nothing to do
    Phase phase;
    int64 bytes;  // put back so far
    TimestampTz since;
};

namespace shmem {

/// Registers the hooks that size and create the shared memory; called once, by _PG_init.
void define();

// --- sessions -----------------------------------------------------------------------------

/// Posts this process's request, wakes the launcher, and returns the request's ticket.
uint64 post(const Request& request);
/// True once the reply is there; copies it out. The slot stays taken until leave().
bool answered(Reply* reply);
/// Frees this process's slot. Returns what the reply granted if one stood there, else 0.
LeaseKey leave();
/// False if no launcher has been running for a while.
bool launcher_alive();
/// Has this process wake the launcher when it ends, because it asked for something.
void watch_session();
/// This process's session is over, as if it had ended, and another begins in the same process.
void begin_session_anew();

/// Copies the lease of that database; false if there is none.
bool find_lease(const char* database, Lease* lease);
/// True if clients may be in that database: it is leased, kept, or a builder's.
bool is_handed_out(Oid database);
/// Copies the lease of the database with that OID; false if there is none.
bool find_lease_on(Oid oid, Lease* lease);
/// All leases of this process's session into `leases`, at most `room`; returns their number.
int own_leases(Lease* leases, int room);
/// Ends a lease, and wakes the launcher. Cannot fail.
void end_lease(LeaseKey key, LeaseEnd end);
/// Has this process, a client's, stamp the leased database that it leaves.
void watch_departure();
/// Lets a client on its way into that database: its lease, if there is one, is not given up before
/// the client is there. False if the lease has ended.
bool await_client(const char* database);
/// Tells the launcher that the tables have been created: look again.
void announce_catalog();

/// True once the server has crashed, until no row in the tables trusts stamps of before that.
bool stamps_are_doubtful();
void trust_stamps();

// --- the launcher --------------------------------------------------------------------------

void launcher_enters();
/// True once after announce_catalog().
bool catalog_announced();
/// Copies a waiting request, the one with the lowest ticket above `after`; false: no more.
bool next_request(uint64 after, Request* request);
/// Notes that it is begun, for that lease if it is about one.
void accept(uint64 ticket, LeaseKey lease = 0);
/// Delivers the reply; false if the session has given up waiting.
bool reply(uint64 ticket, const Reply& answer);
bool session_alive(const Session& session);
/// The present moment, or a later one if that was given away already.
TimestampTz unique_moment();
/// Adds a lease, or replaces the one with its key, whose end and last sight it inherits. One that
/// was not seen, and is new, is seen now. False if there is no place for it.
[[nodiscard]] bool put_lease(const Lease& lease);
void remove_lease(LeaseKey key);
/// Gives the lease up, unless somebody came since it was `seen`.
bool abandon(const Lease& seen);
/// Makes the lease that of the request's session, or detaches it from that: its graces begin anew.
/// False if it has ended.
[[nodiscard]] bool hold(LeaseKey key, const Request& request);
/// As end_lease(), for the launcher itself: it need not be woken.
void close_lease(LeaseKey key);
/// Copies the lease at that index; false if there is none.
bool lease_at(int index, Lease* lease);
/// Copies the last lease before `index` that was ended or orphaned, and returns its index; -1:
/// none.
int ending_lease(int index, Lease* lease);
int lease_room();

int workers();
bool worker_idle(int worker);
void assign(int worker, const Job& job);
/// If the job in that slot is done, copies it and clears the slot.
bool take_done(int worker, Job* job, Outcome* outcome);
/// The job in that slot; its task is none if there is none.
Job job_at(int worker);
/// For whoever asks.
Progress progress_at(int worker);

// --- starts ------------------------------------------------------------------------------

/// Notes that the launcher, 0, or the worker of slot n - 1 comes up; returns how often in a row
/// it has failed to, or 0 if somebody asks for something. Until its end a start is woken when
/// somebody does.
int begin_start(int process);
void end_start(int process);

// --- workers ------------------------------------------------------------------------------

void worker_enters(int worker);
/// True if there is a job; it is then marked as running.
bool take_job(int worker, Job* job);
void finish_job(int worker, const Outcome& outcome);
/// Tells how far this process, a worker, has come with its job. In any other it does nothing.
void report(Phase phase);
void report_bytes(int64 bytes);
void set_vacuum_task(int worker, VacuumTask task);
VacuumTask vacuum_task_of(int worker);
void finish_vacuum_task(int worker, const Outcome& outcome);
Outcome vacuum_outcome(int worker);

}  // namespace shmem

}  // namespace testpool
