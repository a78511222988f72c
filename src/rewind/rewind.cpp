// Rewind, from the first look to the last stamp. In one transaction: compare what may have changed
// with the template, put it back, drop what the template does not have. Then write it out and stamp
// the files, so that the next look finds only what the next test changes.

#include "rewind/rewind.h"

#include "pg/utility.h"
#include "points.h"
#include "rewind/buffers.h"
#include "rewind/files.h"
#include "rewind/pages.h"
#include "rewind/shared.h"

namespace testpool::rewind {

namespace {

constexpr int known_templates = 16;
// So many dropped files that wait for a checkpoint to remove them; each costs a look.
constexpr int most_tombstones = 1000;

/// What this process knows of a template: its files as they were sealed.
struct Known {
    Oid oid;
    XLogRecPtr sealed_at;
    MemoryContext memory;
    Files files;
};

Known known[known_templates];
int next_known = 0;

[[noreturn]] void refuse(const char* why) {
    ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED), errmsg("%s", why)));
    pg_unreachable();
}

const Files& files_of_template(const Job& job) {
    for (Known& k : known)
        if (k.oid == job.source && k.sealed_at == job.sealed_at) return k.files;
    Known& place = known[next_known++ % known_templates];
    if (place.memory != nullptr) MemoryContextDelete(place.memory);
    place = {};
    place.memory =
        AllocSetContextCreate(TopMemoryContext, "testpool template files", ALLOCSET_DEFAULT_SIZES);
    MemoryContext caller = MemoryContextSwitchTo(place.memory);
    place.files = scan(job.source, job.tablespace);
    MemoryContextSwitchTo(caller);
    place.sealed_at = job.sealed_at;
    place.oid = job.source;
    return place.files;
}

bool has_unlogged(const Files& files) {
    return std::ranges::any_of(files.all(), [](const Fork& f) { return f.fork == INIT_FORKNUM; });
}

bool same_files(const Files& a, const Files& b) {
    return std::ranges::equal(a.all(), b.all(), [](const Fork& x, const Fork& y) {
        return x.key() == y.key() && x.bytes == y.bytes;
    });
}

BlockNumber blocks_of(const Fork& fork) { return static_cast<BlockNumber>(fork.bytes / BLCKSZ); }

/// One rewind: what it works on, and what it has done so far.
class Rewind {
  public:
    Rewind(const Job& job, Outcome& outcome)
        : job_(job), outcome_(outcome), source_(files_of_template(job)) {}

    void look() {
        dirty_ =
            dirty_blocks(job_.oid);  // before the files: what is written out between is seen there
        target_ = scan(job_.oid, job_.tablespace);
    }

    /// A relation file that was dropped or truncated away stays, empty, until a checkpoint removes
    /// it; what is written to it before is lost.
    bool needs_checkpoint() const {
        for (const Fork& s : source_.all()) {
            if (s.fork != MAIN_FORKNUM) continue;
            const Fork* t = target_.find(s.relation, MAIN_FORKNUM);
            if (t == nullptr || (t->bytes == 0 && t->written)) return true;
        }
        return false;
    }

    /// After a checkpoint: what is empty now was not dropped, or this server remembers longer than
    /// we know.
    void refuse_emptied() const {
        for (const Fork& s : source_.all()) {
            const Fork* t = s.fork == MAIN_FORKNUM ? target_.find(s.relation, s.fork) : nullptr;
            if (t != nullptr && t->bytes == 0 && t->written)
                refuse("a relation was emptied in place");
        }
    }

    void put_back() {
        for (const Fork& s : source_.all()) restore_fork(s);
        for (const Fork& t : target_.all()) remove_extra(t);
    }

    bool changed() const { return changed_count_ > 0; }
    bool catalogs_changed() const { return catalogs_changed_; }
    bool init_file_written() const { return target_.init_file_written; }
    bool crowded() const { return tombstones_ > most_tombstones; }
    std::span<const Fork> changed_forks() const {
        return {changed_, static_cast<size_t>(changed_count_)};
    }

  private:
    Locator locator(Oid database, RelNumber relation) const {
        return {job_.tablespace, database, relation};
    }

    std::span<const DirtyBlock> dirty_of(const Fork& fork) const {
        auto first = std::ranges::lower_bound(dirty_, fork.key(), {}, &DirtyBlock::key);
        auto last = std::ranges::upper_bound(dirty_, fork.key(), {}, &DirtyBlock::key);
        return {first, last};
    }

    void note_changed(const Fork& fork) {
        if (changed_count_ == changed_room_) {
            changed_room_ = std::max(64, changed_room_ * 2);
            auto* grown = static_cast<Fork*>(palloc(sizeof(Fork) * changed_room_));
            std::copy_n(changed_, changed_count_, grown);
            changed_ = grown;
        }
        changed_[changed_count_++] = fork;
    }

    void restore_fork(const Fork& s) {
        const Fork* t = target_.find(s.relation, s.fork);
        std::span<const DirtyBlock> dirty = t != nullptr ? dirty_of(*t) : std::span<DirtyBlock>{};
        bool resized = t == nullptr || t->bytes != s.bytes;
        // Truncating a relation also writes to its maps.
        bool shaken = s.fork != MAIN_FORKNUM && s.relation == resized_;
        if (!resized && !shaken && !t->written && dirty.empty()) return;
        Sides sides{locator(job_.source, s.relation), locator(job_.oid, s.relation),
                    job_.sealed_at};
        require_unchanged_length(sides, s);
        if (resized || shaken) resize(sides.target, s.fork, blocks_of(s));
        if (resized && s.fork == MAIN_FORKNUM) resized_ = s.relation;
        int64 pages = resized || shaken || t->written
                          ? restore_all(sides, s.fork, blocks_of(s))
                          : restore_blocks(sides, s.fork, dirty, blocks_of(s));
        count(s, pages + resized);
        outcome_.pages += pages;
        note_changed(s);
    }

    void count(const Fork& fork, int64 changes) {
        if (changes == 0) return;
        if (fork.relation != counted_) outcome_.relations++;
        counted_ = fork.relation;
        catalogs_changed_ |= is_catalog(fork);
    }

    static bool is_catalog(const Fork& fork) { return fork.relation < FirstNormalObjectId; }

    static void require_unchanged_length(const Sides& sides, const Fork& s) {
        SMgrRelation storage = compat::storage_of(sides.source);
        if (!smgrexists(storage, s.fork) || smgrnblocks(storage, s.fork) != blocks_of(s))
            refuse(psprintf("relation file %u, fork %s, of the template has changed its length",
                            s.relation, forkNames[s.fork]));
    }

    void remove_extra(const Fork& t) {
        if (source_.find(t.relation, t.fork) != nullptr) return;
        if (source_.find(t.relation, MAIN_FORKNUM) !=
            nullptr) {  // a map that the template does not have
            if (t.bytes == 0) return;
            resize(locator(job_.oid, t.relation), t.fork, 0);
            count(t, 1);
            note_changed(t);
            return;
        }
        if (t.fork != MAIN_FORKNUM) return;  // goes with its main fork
        tombstones_ += t.bytes == 0;
        if (t.bytes == 0 && !t.written) return;  // dropped by an earlier rewind
        drop_relation(locator(job_.oid, t.relation));
        count(t, 1);
        note_changed(t);
    }

    const Job& job_;
    Outcome& outcome_;
    const Files& source_;
    Files target_;
    std::span<DirtyBlock> dirty_;
    Fork* changed_ = nullptr;
    int changed_count_ = 0;
    int changed_room_ = 0;
    int tombstones_ = 0;
    bool catalogs_changed_ = false;
    RelNumber resized_ = 0;
    RelNumber counted_ = 0;
};

/// The clone is locked until its files are stamped, which is after the commit: what autovacuum
/// would do between the two would never be noticed.
void lock(const Job& job) {
    LockSharedObjectForSession(DatabaseRelationId, job.oid, 0, AccessExclusiveLock);
    LockSharedObject(DatabaseRelationId, job.source, 0, ShareLock);
    if (CountDBBackends(job.oid) > 0) refuse("somebody is in the database");
    if (CountDBBackends(job.source) > 0) refuse("somebody is in the template");
}

void rename(const Job& job) {
    const char* present = get_database_name(job.oid);
    if (present == nullptr) refuse("the database was dropped");
    if (strcmp(present, NameStr(job.new_name)) == 0) return;
    utility(psprintf("ALTER DATABASE %s RENAME TO %s", quote_identifier(present),
                     quote_identifier(NameStr(job.new_name))));
}

/// Lets a checkpoint remove what was dropped, and has every process close the files it may have had
/// open: a new file of the same name must not be written through an old descriptor.
void bury_dropped_files() {
    RequestCheckpoint(CHECKPOINT_IMMEDIATE | CHECKPOINT_FORCE | CHECKPOINT_WAIT);
    WaitForProcSignalBarrier(EmitProcSignalBarrier(PROCSIGNAL_BARRIER_SMGRRELEASE));
}

void write_out(const Job& job, const Rewind& rewind) {
    if (rewind.changed()) FlushDatabaseBuffers(job.oid);
    TESTPOOL_POINT("rewind-flushed");
    if (rewind.init_file_written()) copy_init_file(job.source, job.oid, job.tablespace);
    if (rewind.changed() || rewind.init_file_written())
        stamp(job.oid, job.tablespace, rewind.changed_forks());
    if (rewind.crowded()) RequestCheckpoint(CHECKPOINT_FORCE);
}

}  // namespace

void settle() { RequestCheckpoint(CHECKPOINT_IMMEDIATE | CHECKPOINT_FORCE | CHECKPOINT_WAIT); }

bool prepare(const Job& job) {
    bool possible = false;
    transaction([&] {
        LockSharedObject(DatabaseRelationId, job.oid, 0, AccessExclusiveLock);
        const Files& source = files_of_template(job);
        FlushDatabaseBuffers(job.oid);
        TESTPOOL_POINT("clone-flushed");
        copy_init_file(job.source, job.oid, job.tablespace);
        possible = same_files(source, scan(job.oid, job.tablespace)) && !has_unlogged(source) &&
                   !has_other_tablespaces(job.source, job.tablespace);
        if (possible) stamp(job.oid, job.tablespace);
    });
    return possible;
}

void run(const Job& job, Outcome& outcome) {
    Rewind rewind(job, outcome);
    transaction([&] {
        lock(job);
        if (has_other_tablespaces(job.oid, job.tablespace)) refuse("it has relations elsewhere");
        if (!same_relation_map(job.oid, job.source, job.tablespace))
            refuse("a mapped catalog was rewritten");
        rewind.look();
        TESTPOOL_POINT("rewind-looked");
        if (rewind.needs_checkpoint()) {
            bury_dropped_files();
            TESTPOOL_POINT("rewind-buried");
            rewind.look();
            rewind.refuse_emptied();
        }
        rewind.put_back();
        TESTPOOL_POINT("rewind-put-back");
        restore_shared(job.oid, job.source, rewind.catalogs_changed());
        if (rewind.changed()) {
            GetCurrentTransactionId();  // dropping storage needs one
            pgstat_drop_database(job.oid);
        }
        rename(job);
        TESTPOOL_POINT("rewind-renamed");
    });
    TESTPOOL_POINT("rewind-committed");
    transaction([&] { write_out(job, rewind); });
    TESTPOOL_POINT("rewind-stamped");
    UnlockSharedObjectForSession(DatabaseRelationId, job.oid, 0, AccessExclusiveLock);
}

}  // namespace testpool::rewind
