// Sealed templates. Autovacuum, a superuser or a crash may change one after all.

#include "rewind/sealed.h"

#include "rewind/buffers.h"
#include "rewind/rewind.h"

namespace testpool::rewind {

namespace {

constexpr int known_templates = 16;

struct Known {
    Seal seal;
    MemoryContext memory;
    Files files;
    std::span<RelationOf> relations;
    Oid oid;
    bool intact;  // these were the files when it was sealed
    bool has_unlogged;
};

Known known[known_templates];
int next_known = 0;

HeapTuple row_of(Oid database) {
    HeapTuple row = SearchSysCacheCopy1(DATABASEOID, ObjectIdGetDatum(database));
    if (!HeapTupleIsValid(row))
        ereport(ERROR, (errcode(ERRCODE_UNDEFINED_DATABASE), errmsg("the template was dropped")));
    return row;
}

Form_pg_database form_of(HeapTuple row) {
    return reinterpret_cast<Form_pg_database>(GETSTRUCT(row));
}

/// Tells one list of files from another: names and lengths.
int64 fingerprint(const Files& files) {
    uint64 mix = 0;
    for (const Fork& fork : files.forks) {
        int64 facts[] = {fork.name.tablespace, fork.name.relation, fork.name.fork, fork.bytes};
        auto* bytes = reinterpret_cast<unsigned char*>(facts);
        mix = hash_combine64(mix, hash_bytes_extended(bytes, sizeof(facts), 0));
    }
    return static_cast<int64>(mix);
}

bool has_unlogged(const Files& files) {
    return std::ranges::any_of(files.forks,
                               [](const Fork& f) { return f.name.fork == INIT_FORKNUM; });
}

const Known& known_template(const Job& job) {
    for (Known& k : known)
        if (k.oid == job.source && k.seal == job.seal) return k;
    Known& place = known[next_known++ % known_templates];
    if (place.memory != nullptr) MemoryContextDelete(place.memory);
    place = {};
    place.memory =
        AllocSetContextCreate(TopMemoryContext, "testpool template files", ALLOCSET_DEFAULT_SIZES);
    MemoryContext caller = MemoryContextSwitchTo(place.memory);
    place.files = scan(job.source, tablespaces_of(job.source, job.tablespace));
    place.relations = relations_of(job.source, job.tablespace, place.files);
    MemoryContextSwitchTo(caller);
    place.intact = fingerprint(place.files) == job.seal.fingerprint;
    place.has_unlogged = has_unlogged(place.files);
    place.seal = job.seal;
    place.oid = job.source;
    return place;
}

/// What unlogged relations hold does not tell its age, so any change is looked for.
bool unlogged_changed(const Job& job, const Files& files) {
    return is_spoiled(job.source, job.tablespace) ||
           std::ranges::any_of(dirty_blocks(job.source), [&](const DirtyBlock& block) {
               return is_unlogged(files, block.fork);
           });
}

}  // namespace

Seal seal(Oid database) {
    board::report(Phase::checkpoint);
    RequestCheckpoint(CHECKPOINT_IMMEDIATE | CHECKPOINT_FORCE | CHECKPOINT_WAIT);
    HeapTuple row = row_of(database);
    std::span<Oid> tablespaces = tablespaces_of(database, form_of(row)->dattablespace);
    FlushDatabaseBuffers(database);  // a checkpoint passes by those of unlogged relations
    stamp(database, tablespaces);
    Files files = scan(database, tablespaces);
    return {GetXLogInsertRecPtr(), form_of(row)->datfrozenxid, form_of(row)->datminmxid,
            fingerprint(files), static_cast<int>(files.forks.size())};
}

bool is_spoiled(Oid database, Oid tablespace) {
    Files files = scan(database, tablespaces_of(database, tablespace));
    return std::ranges::any_of(
        files.forks, [&](const Fork& f) { return f.written && is_unlogged(files, f.name); });
}

bool is_spoiled(const Job& job) {
    return known_template(job).has_unlogged && is_spoiled(job.source, job.tablespace);
}

const Files& files_of_template(const Job& job) { return known_template(job).files; }

const RelationOf* relation_of(const Job& job, const ForkName& file) {
    std::span<RelationOf> all = known_template(job).relations;
    ForkName main{file.tablespace, file.relation, MAIN_FORKNUM};
    auto place = std::ranges::lower_bound(all, main, {}, &RelationOf::file);
    return place != all.end() && place->file == main ? &*place : nullptr;
}

const char* drift(const Job& job) {
    const Known& k = known_template(job);
    HeapTuple row = row_of(job.source);
    if (form_of(row)->datfrozenxid != job.seal.frozen_xid ||
        form_of(row)->datminmxid != job.seal.min_mxid)
        return "the template was vacuumed after it had been finalized";
    if (!k.intact) return "the template's files are not those that were finalized";
    if (k.has_unlogged && unlogged_changed(job, k.files))
        return "an unlogged relation of the template was changed";
    return nullptr;
}

bool is_unlogged(const Files& files, const ForkName& name) {
    return name.fork != INIT_FORKNUM &&
           files.find({name.tablespace, name.relation, INIT_FORKNUM}) != nullptr;
}

}  // namespace testpool::rewind
