// Sealed templates. Autovacuum, a superuser or a crash may change one after all.

#include "rewind/sealed.h"

#include "rewind/buffers.h"
#include "rewind/compare.h"
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

bool has_unlogged(const Files& files) {
    return std::ranges::any_of(files.forks,
                               [](const Fork& f) { return f.name.fork == INIT_FORKNUM; });
}

bool has_rows_unlogged(const Files& files) {
    return std::ranges::any_of(files.forks, [&](const Fork& f) {
        return f.name.fork == MAIN_FORKNUM && is_unlogged(files, f.name) && !f.is_void;
    });
}

const Fork* init_of(const Files& files, const ForkName& name) {
    return files.find({name.tablespace, name.relation, INIT_FORKNUM});
}

bool same_pages(Oid database, const ForkName& a, const ForkName& b, int64 bytes) {
    PageMemory memory;
    std::span<char*> pages = memory.all();
    Segments first(database, a);
    Segments second(database, b);
    bool same = true;
    for (BlockNumber block = 0; same && block < bytes / BLCKSZ; block++) {
        first.read(block, 1, pages[0]);
        second.read(block, 1, pages[1]);
        same = same_page(pages[0], pages[1]);
    }
    first.close();
    second.close();
    memory.free();
    return same;
}

/// True if the main fork is as its init fork, of which ResetUnloggedRelations() makes it anew after
/// a crash.
bool is_initial(Oid database, const Files& files, const Fork& fork) {
    const Fork* init = init_of(files, fork.name);
    return fork.name.fork == MAIN_FORKNUM && init != nullptr && fork.bytes == init->bytes &&
           same_pages(database, fork.name, init->name, fork.bytes);
}

/// Tables without a page, sequences that nobody used, and the indexes of such tables, whatever
/// stands in them: there is nothing that they could have lost.
void mark_void(Oid database, Oid tablespace, const Files& files) {
    for (Fork& fork : files.forks) fork.is_void = is_initial(database, files, fork);
    for (const IndexOf& index : indexes_of(database, tablespace, files)) {
        const Fork* table = files.find(index.table);
        Fork* fork = files.find(index.file);
        if (table == nullptr || fork == nullptr || init_of(files, index.file) == nullptr) continue;
        fork->is_void = table->bytes == 0;
    }
}

Files look_at(Oid database, Oid tablespace, std::span<const Oid> tablespaces, Temporary temporary) {
    Files files = scan(database, tablespaces, temporary);
    if (has_unlogged(files)) mark_void(database, tablespace, files);
    return files;
}

/// A crash leaves such a relation without the map.
bool is_map_of_void(const Files& files, const ForkName& name) {
    if (!is_unlogged(files, name) || name.fork == MAIN_FORKNUM) return false;
    const Fork* main = files.find({name.tablespace, name.relation, MAIN_FORKNUM});
    return main != nullptr && main->is_void;
}

/// Tells one list of files from another: names and lengths, and what has nothing to lose, which may
/// have any length. Half of it tells of the contents of unlogged relations, half of the rest.
int64 fingerprint(const Files& files) {
    uint64 logged = 0;
    uint64 unlogged = 0;
    for (const Fork& fork : files.forks) {
        if (is_map_of_void(files, fork.name)) continue;
        int64 facts[] = {fork.name.tablespace, fork.name.relation, fork.name.fork,
                         fork.is_void ? -1 : fork.bytes};
        auto* bytes = reinterpret_cast<unsigned char*>(facts);
        uint64& mix = is_unlogged(files, fork.name) ? unlogged : logged;
        mix = hash_combine64(mix, hash_bytes_extended(bytes, sizeof(facts), 0));
    }
    return static_cast<int64>(logged << 32 | (unlogged & PG_UINT32_MAX));
}

bool same_unlogged(int64 fingerprint, int64 other) {
    return static_cast<uint32>(fingerprint) == static_cast<uint32>(other);
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
    place.files = look_at(job.source, job.tablespace, tablespaces_of(job.source, job.tablespace),
                          Temporary::leave);
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
    return is_spoiled(job.source, job.tablespace, job.seal) ||
           std::ranges::any_of(dirty_blocks(job.source), [&](const DirtyBlock& block) {
               return is_unlogged(files, block.fork);
           });
}

}  // namespace

Seal seal(Oid database) {
    HeapTuple row = row_of(database);
    Oid tablespace = form_of(row)->dattablespace;
    std::span<Oid> tablespaces = tablespaces_of(database, tablespace);
    FlushDatabaseBuffers(database);  // a checkpoint passes by those of unlogged relations
    stamp(database, tablespaces);
    Files files = look_at(database, tablespace, tablespaces, Temporary::remove);
    return {GetXLogInsertRecPtr(), form_of(row)->datfrozenxid,           form_of(row)->datminmxid,
            fingerprint(files),    static_cast<int>(files.forks.size()), InvalidTransactionId};
}

/// After a crash every file of an unlogged relation is a new one. If all of them are void, and were
/// so when the template was sealed, it is what it was; this is found out once. Where files keep no
/// stamps, only what a crash would do is noticed.
bool is_spoiled(Oid database, Oid tablespace, const Seal& seal) {
    std::span<Oid> tablespaces = tablespaces_of(database, tablespace);
    Files files = scan(database, tablespaces, Temporary::leave);
    Growing<Fork> written;
    for (const Fork& f : files.forks)
        if (f.written && is_unlogged(files, f.name)) written.add(f);
    if (written.all().empty()) return false;
    mark_void(database, tablespace, files);
    if (!same_unlogged(fingerprint(files), seal.fingerprint)) return true;
    stamp(database, tablespace, {init_of(files, written.all()[0].name), 1});  // does it stay?
    auto was_changed = [&](const Fork& f) { return !is_initial(database, files, f); };
    if (keeps_stamps(tablespaces) && std::ranges::any_of(written.all(), was_changed)) return true;
    stamp(database, tablespace, written.all());
    return false;
}

bool is_stampless(Oid database, Oid tablespace) {
    return !keeps_stamps(tablespaces_of(database, tablespace));
}

bool is_spoiled(const Job& job) {
    return known_template(job).has_unlogged && is_spoiled(job.source, job.tablespace, job.seal);
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

const char* obstacle(const Job& job) {
    bool told = !has_rows_unlogged(known_template(job).files) ||
                keeps_stamps(tablespaces_of(job.source, job.tablespace));
    return told ? nullptr
                : "no times of files tell whether unlogged relations of the template were changed";
}

bool is_unlogged(const Files& files, const ForkName& name) {
    return name.fork != INIT_FORKNUM && init_of(files, name) != nullptr;
}

}  // namespace testpool::rewind
