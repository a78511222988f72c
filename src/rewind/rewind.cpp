// Rewind, from the first look to the last stamp. In one transaction: compare what may have changed
// with the template, put it back, drop what the template does not have. Then truncate, write it out
// and stamp the files, so that the next look finds only what the next test changes.

#include "rewind/rewind.h"

#include "live/gate.h"
#include "pairs.h"
#include "pg/barrier.h"
#include "pg/growing.h"
#include "pg/transaction.h"
#include "points.h"
#include "rewind/buffers.h"
#include "rewind/drift.h"
#include "rewind/fork.h"
#include "rewind/loose.h"
#include "rewind/sealed.h"
#include "rewind/shared.h"
#include "rewind/statistics.h"
#include "rewind/truncation.h"
#include "rewind/watch.h"
#include "sessions.h"

namespace testpool::rewind {

namespace {

// So many dropped files that wait for a checkpoint to remove them; each costs a look.
constexpr int most_tombstones = 1000;

[[noreturn]] void refuse_drifted(const char* why) {
    ereport(ERROR, (errcode(drifted_sqlstate), errmsg("%s", why)));
    pg_unreachable();
}

bool same_files(const Files& a, const Files& b) {
    return std::ranges::equal(a.forks, b.forks, [](const Fork& x, const Fork& y) {
        return x.name == y.name && x.bytes == y.bytes;
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
        tablespaces_ = tablespaces_of(job_.oid, job_.tablespace);
        Written written = written_to(job_.oid, tablespaces_);
        target_ = written.known ? scan(job_.oid, source_, written.forks, written.init_file)
                                : scan(job_.oid, tablespaces_);
    }

    /// False if nothing can have changed.
    bool may_have_changed() const {
        bool changed = !dirty_.empty();
        each_fork([&](const Fork* s, const Fork* t) {
            changed |= s == nullptr || t == nullptr || t->written || t->bytes != s->bytes;
        });
        return changed;
    }

    /// A relation file that was dropped or truncated away stays, empty, until a checkpoint removes
    /// it; what is written to it before is lost. One that is empty and still a relation's was
    /// shortened, and stays. If catalogs were rewritten, pg_class does not tell.
    bool needs_checkpoint() const {
        bool gone = false;
        Growing<ForkName> emptied;
        each_fork([&](const Fork* s, const Fork* t) {
            if (s == nullptr || s->name.fork != MAIN_FORKNUM) return;
            gone |= t == nullptr;
            if (t != nullptr && t->bytes == 0 && t->written) emptied.add(t->name);
        });
        if (gone || emptied.all().empty()) return gone;
        return !has_same_map(job_.source, job_.oid, job_.tablespace) ||
               !are_in_use(emptied.all(), job_.oid, job_.tablespace, target_, dirty_);
    }

    void put_back() {
        each_fork([&](const Fork* s, const Fork* t) {
            if (s != nullptr)
                restore_fork(*s, t);
            else if (t != nullptr)
                remove_extra(*t);
        });
    }

    void truncate() const { truncations_.carry_out(); }
    bool changed() const { return !changed_.all().empty(); }
    bool catalogs_changed() const { return catalogs_changed_; }
    bool init_file_written() const { return target_.init_file_written; }
    std::span<const Oid> changed_tables() const { return changed_tables_.all(); }
    std::span<const Oid> stale_indexes() const { return stale_indexes_.all(); }
    bool crowded() const { return tombstones_ > most_tombstones; }
    std::span<const Oid> tablespaces() const { return tablespaces_; }
    std::span<const Fork> changed_forks() const { return changed_.all(); }
    /// Of those, what has nothing in it now.
    std::span<const Fork> emptied_forks() const { return emptied_.all(); }

  private:
    template <class Each>
    void each_fork(Each each) const {
        each_pair(source_.forks, target_.forks, &Fork::name, each);
    }

    static Locator locator(const ForkName& name, Oid database) {
        return {name.tablespace, database, name.relation};
    }

    ForkPair pair_of(const ForkName& name) const {
        return {locator(name, job_.source), locator(name, job_.oid), job_.seal.at,
                !is_unlogged(source_, name)};
    }

    /// Looks at dirty blocks, at those that differ in the file, and at those that were just added,
    /// which are in the file but not in the log.
    int64 restore_pages(const ForkPair& pair, const Fork& s, const Fork* t,
                        std::span<const DirtyBlock> dirty) {
        BlockNumber length = blocks_of(s);
        BlockNumber present = t != nullptr ? std::min(blocks_of(*t), length) : 0;
        ForkRestore fork(pair, s.name, dirty);
        if (t == nullptr || t->written || t->bytes != s.bytes) fork.compare_files(present);
        fork.add(present, length);
        int64 pages = fork.finish(length);
        bool resized = t == nullptr || t->bytes != s.bytes;
        if (resized || (pages > 0 && fork.touched_first())) note_stale(s.name);
        return pages;
    }

    void restore_fork(const Fork& s, const Fork* t) {
        const ForkName& name = s.name;
        std::span<const DirtyBlock> dirty =
            t != nullptr ? blocks_of(dirty_, name) : std::span<const DirtyBlock>{};
        bool resized = t == nullptr || t->bytes != s.bytes;
        if (!resized && !t->written && dirty.empty()) return;
        ForkPair pair = pair_of(name);
        require_unchanged_length(pair, s);
        if (name.fork == MAIN_FORKNUM && t != nullptr && t->bytes > s.bytes)
            truncations_.announce({pair.target, blocks_of(s), pair.logged});
        else if (resized)
            resize(pair, name.fork, blocks_of(s));
        bool is_map = name.fork == FSM_FORKNUM || name.fork == VISIBILITYMAP_FORKNUM;
        int64 pages =
            is_map ? restore_all(pair, name.fork, blocks_of(s)) : restore_pages(pair, s, t, dirty);
        count(name, pages + resized);
        outcome_.pages += pages;
        shmem::report_bytes(outcome_.pages * BLCKSZ);
        changed_.add(s);
        if (s.bytes == 0) emptied_.add(s);
    }

    /// Sessions remember of an index what stands in its first page, and which pages it has.
    void note_stale(const ForkName& name) {
        const RelationOf* relation = relation_of(job_, name);
        if (relation != nullptr && relation->is_index) stale_indexes_.add(relation->oid);
    }

    bool is_catalog(const ForkName& name) const {
        const RelationOf* relation = relation_of(job_, name);
        return relation == nullptr || relation->oid < FirstNormalObjectId;
    }

    void count(const ForkName& name, int64 changes) {
        if (changes == 0) return;
        if (!name.same_relation(counted_)) {
            outcome_.relations++;
            const RelationOf* relation = relation_of(job_, name);
            if (relation != nullptr && !relation->is_index) changed_tables_.add(relation->oid);
        }
        counted_ = name;
        catalogs_changed_ = catalogs_changed_ || is_catalog(name);
    }

    static void require_unchanged_length(const ForkPair& pair, const Fork& s) {
        SMgrRelation storage = compat::storage_of(pair.source);
        if (!smgrexists(storage, s.name.fork) || smgrnblocks(storage, s.name.fork) != blocks_of(s))
            refuse_drifted(
                psprintf("relation file %u, fork %s, of the template has changed its length",
                         s.name.relation, forkNames[s.name.fork]));
    }

    void remove_extra(const Fork& t) {
        const ForkName& name = t.name;
        ForkName main{name.tablespace, name.relation, MAIN_FORKNUM};
        if (source_.find(main) != nullptr) {  // a map that the template does not have
            if (t.bytes == 0) return;
            resize(pair_of(name), name.fork, 0);
            note_extra(t);
            return;
        }
        if (name.fork != MAIN_FORKNUM) return;  // goes with its main fork
        tombstones_ += t.bytes == 0;
        if (t.bytes == 0 && !t.written) return;  // dropped by an earlier rewind
        drop_relation(locator(name, job_.oid));
        note_extra(t);
    }

    void note_extra(const Fork& t) {
        count(t.name, 1);
        changed_.add(t);
        emptied_.add(t);
    }

    const Job& job_;
    Outcome& outcome_;
    const Files& source_;
    Files target_;
    std::span<Oid> tablespaces_;
    std::span<DirtyBlock> dirty_;
    Growing<Fork> changed_;
    Growing<Fork> emptied_;
    Growing<Oid> stale_indexes_;
    Growing<Oid> changed_tables_;
    int tombstones_ = 0;
    bool catalogs_changed_ = false;
    Truncations truncations_;
    ForkName counted_;
};

void require_unchanged_template(const Job& job) {
    if (CountDBBackends(job.source) > 0)
        ereport(ERROR, (errcode(ERRCODE_OBJECT_IN_USE), errmsg("somebody is in the template")));
    if (const char* why = drift(job)) refuse_drifted(why);
    if (const char* why = obstacle(job))
        ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED), errmsg("%s", why)));
}

/// Lets a checkpoint remove what was dropped, and has every process close the files it may have had
/// open: a new file of the same name must not be written through an old descriptor.
/// If somebody does not answer, the outcome says for what to wait when it is tried again; nobody
/// can have dropped more by then, as the database lets nobody in.
void bury_dropped_files(const Job& job, Outcome& outcome) {
    shmem::report(Phase::checkpoint);
    if (!job.live) transaction([&] { close(job.oid); });
    outcome.barrier = job.barrier;
    if (outcome.barrier == 0) {
        RequestCheckpoint(CHECKPOINT_IMMEDIATE | CHECKPOINT_FORCE | CHECKPOINT_WAIT);
        outcome.barrier = barrier::ask();
    }
    barrier::wait(outcome.barrier);
    outcome.barrier = 0;
}

/// What is halfway put back must not be seen by anybody, after a crash either: neither by clients,
/// nor by autovacuum and background workers.
void begin_changes(const Job& job) {
    close(job.oid);
    if (job.live) gate::point_of_no_return();
    TESTPOOL_POINT("rewind-closed-to-all");
}

/// Under sessions nothing is written out, which would wait for the log as well: the test that comes
/// next writes to the same pages. What stays dirty is looked at again the next time, and so is a
/// file without a stamp, if need be; neither can be missed. Empty files are stamped, or they would
/// look each time as if they waited for a checkpoint.
void write_out(const Job& job, const Rewind& rewind, Outcome& outcome) {
    shmem::report(Phase::writing);
    rewind.truncate();
    reopen(job.oid, job.source);
    TESTPOOL_POINT("rewind-truncated");
    bool settle = !job.live;
    if (rewind.changed() && settle) FlushDatabaseBuffers(job.oid);
    TESTPOOL_POINT("rewind-flushed");
    if (rewind.init_file_written()) copy_init_file(job.source, job.oid, job.tablespace);
    if (rewind.changed() || rewind.init_file_written())
        stamp(job.oid, job.tablespace, settle ? rewind.changed_forks() : rewind.emptied_forks());
    outcome.unwatched = !watch(job.oid, rewind.tablespaces());
    if (rewind.crowded()) RequestCheckpoint(CHECKPOINT_FORCE);
}

/// Looks at what has changed. If the names of dropped files are needed, they are made free, which
/// may take as long as other processes like: nobody has to wait for the template meanwhile.
void look(const Job& job, Rewind& rewind, Outcome& outcome) {
    shmem::report(Phase::looking);
    bool bury = false;
    transaction([&] {
        rewind.look();
        bury = rewind.needs_checkpoint();
    });
    TESTPOOL_POINT("rewind-looked");
    if (!bury) return;
    bury_dropped_files(job, outcome);
    TESTPOOL_POINT("rewind-buried");
    shmem::report(Phase::looking);
    transaction([&] { rewind.look(); });
}

}  // namespace

void prepare(const Job& job, Outcome& outcome) {
    transaction([&] {
        shmem::report(Phase::writing);
        const Files& source = files_of_template(job);
        FlushDatabaseBuffers(job.oid);
        TESTPOOL_POINT("clone-flushed");
        copy_init_file(job.source, job.oid, job.tablespace);
        std::span<Oid> tablespaces = tablespaces_of(job.oid, job.tablespace);
        const char* why = drift(job);
        outcome.drifted = why != nullptr;
        if (why == nullptr) why = obstacle(job);
        if (why == nullptr && !same_files(source, scan(job.oid, tablespaces)))
            why = "its files were not those of its template when it was made";
        outcome.rewindable = why == nullptr;
        if (!outcome.rewindable) {
            strlcpy(outcome.message, why, sizeof(outcome.message));
            return;
        }
        stamp(job.oid, tablespaces);
        watch(job.oid, tablespaces);
    });
}

void run(const Job& job, Outcome& outcome) {
    Rewind rewind(job, outcome);
    look(job, rewind, outcome);
    sessions::lock_out(job.source, ShareLock);
    transaction([&] {
        require_unchanged_template(job);
        if (rewind.may_have_changed()) begin_changes(job);
        bool mapped = copy_relation_map(job.source, job.oid, job.tablespace);
        shmem::report(Phase::putting_back);
        rewind.put_back();
        TESTPOOL_POINT("rewind-put-back");
        outcome.catalogs = rewind.catalogs_changed() || mapped;
        copy_shared(job.source, job.oid, job.new_name, job.live, outcome.catalogs);
        if (rewind.changed()) GetCurrentTransactionId();  // dropping storage needs one
        statistics::forget(job.source);
        if (!job.live)
            statistics::forget(job.oid);
        else if (gate::is_past_return())
            statistics::forget_under_sessions(job.oid);
        TESTPOOL_POINT("rewind-renamed");
    });
    TESTPOOL_POINT("rewind-committed");
    transaction([&] { write_out(job, rewind, outcome); });
    if (job.live) gate::uncount(job.oid, rewind.changed_tables());
    if (job.live && !outcome.catalogs) gate::tell(job.oid, rewind.stale_indexes());
    sessions::let_in(job.source, ShareLock);
    TESTPOOL_POINT("rewind-stamped");
}

}  // namespace testpool::rewind
