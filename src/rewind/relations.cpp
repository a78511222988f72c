// Reading pg_class of a database that nobody may enter.

#include "rewind/relations.h"

#include "rewind/rows.h"

namespace testpool::rewind {

namespace {

struct File {
    ForkName name;
    int64 pages;
};

int64 pages_of(const Files& files, const ForkName& name) {
    const Fork* fork = files.find(name);
    return fork == nullptr ? 0 : fork->bytes / BLCKSZ;
}

File file_of_class(Oid database, Oid tablespace, const Files& files) {
    RelNumber number =
        compat::mapped_file(GetDatabasePath(database, tablespace), RelationRelationId);
    ForkName name{tablespace, number, MAIN_FORKNUM};
    return {name, pages_of(files, name)};
}

template <class Each>
void each_tuple(const File& file, Oid database, std::span<const DirtyBlock> dirty, Each each) {
    PageReader pages(database, file.name, dirty);
    for (int64 block = 0; block < file.pages; block++)
        each_row(pages.at(static_cast<BlockNumber>(block)), each);
    pages.close();
}

template <class Each>
void each_class(const File& file, Oid database, Oid tablespace, std::span<const DirtyBlock> dirty,
                Each each) {
    const char* directory = GetDatabasePath(database, tablespace);
    each_tuple(file, database, dirty, [&](HeapTuple tuple) {
        auto* row = form_of<FormData_pg_class>(tuple);
        if (row == nullptr || row->relisshared || !RELKIND_HAS_STORAGE(row->relkind)) return;
        Oid place = OidIsValid(row->reltablespace) ? row->reltablespace : tablespace;
        RelNumber number =
            row->relfilenode != 0 ? row->relfilenode : compat::mapped_file(directory, row->oid);
        each(tuple, *row, ForkName{place, number, MAIN_FORKNUM});
    });
}

}  // namespace

/// Of a template, which has nothing dirty. Rows that are no more are read as well: no file that is
/// there is one of a relation that is gone, and a relation has the same OID in all of its rows.
std::span<RelationOf> relations_of(Oid database, Oid tablespace, const Files& files) {
    Growing<RelationOf> found;
    File file = file_of_class(database, tablespace, files);
    each_class(file, database, tablespace, {},
               [&](HeapTuple /*tuple*/, const FormData_pg_class& row, const ForkName& name) {
                   if (row.relfilenode != 0)
                       found.add({name, row.oid, row.relkind == RELKIND_INDEX});
               });
    std::ranges::sort(found.all(), {}, &RelationOf::file);
    return found.all();
}

namespace {

struct FileOf {
    Oid relation;
    ForkName name;
};

const ForkName* file_of(std::span<const FileOf> sorted, Oid relation) {
    auto found = std::ranges::lower_bound(sorted, relation, {}, &FileOf::relation);
    return found != sorted.end() && found->relation == relation ? &found->name : nullptr;
}

}  // namespace

std::span<IndexOf> indexes_of(Oid database, Oid tablespace, const Files& files) {
    Growing<FileOf> all;
    each_class(file_of_class(database, tablespace, files), database, tablespace, {},
               [&](HeapTuple tuple, const FormData_pg_class& row, const ForkName& name) {
                   if (is_live(tuple->t_data)) all.add({row.oid, name});
               });
    std::ranges::sort(all.all(), {}, &FileOf::relation);
    Growing<IndexOf> found;
    const ForkName* catalog = file_of(all.all(), IndexRelationId);
    if (catalog == nullptr) return {};
    each_tuple({*catalog, pages_of(files, *catalog)}, database, {}, [&](HeapTuple tuple) {
        auto* row = form_of<FormData_pg_index>(tuple, offsetof(FormData_pg_index, indkey));
        if (row == nullptr || !is_live(tuple->t_data)) return;
        const ForkName* index = file_of(all.all(), row->indexrelid);
        const ForkName* table = file_of(all.all(), row->indrelid);
        if (index != nullptr && table != nullptr) found.add({*index, *table});
    });
    return found.all();
}

bool are_in_use(std::span<const ForkName> wanted, Oid database, Oid tablespace, const Files& files,
                std::span<const DirtyBlock> dirty) {
    Growing<ForkName> found;
    File file = file_of_class(database, tablespace, files);
    each_class(file, database, tablespace, blocks_of(dirty, file.name),
               [&](HeapTuple tuple, const FormData_pg_class& /*row*/, const ForkName& name) {
                   if (is_live(tuple->t_data) && std::ranges::binary_search(wanted, name))
                       found.add(name);
               });
    std::ranges::sort(found.all());
    return std::ranges::includes(found.all(), wanted);
}

}  // namespace testpool::rewind
