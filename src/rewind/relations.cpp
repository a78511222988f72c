// Reading pg_class of a database that nobody may enter.

#include "rewind/relations.h"

#include "rewind/rows.h"

namespace testpool::rewind {

namespace {

struct File {
    ForkName name;
    int64 pages;
};

File file_of_class(Oid database, Oid tablespace, const Files& files) {
    RelNumber number =
        compat::mapped_file(GetDatabasePath(database, tablespace), RelationRelationId);
    ForkName name{tablespace, number, MAIN_FORKNUM};
    const Fork* fork = files.find(name);
    return {name, fork == nullptr ? 0 : fork->bytes / BLCKSZ};
}

template <class Each>
void each_class(const File& file, Oid database, Oid tablespace, std::span<const DirtyBlock> dirty,
                Each each) {
    PageReader pages(database, file.name, dirty);
    for (int64 block = 0; block < file.pages; block++)
        each_row(pages.at(static_cast<BlockNumber>(block)), [&](HeapTuple tuple) {
            auto* row = form_of<FormData_pg_class>(tuple);
            if (row == nullptr || row->relfilenode == 0) return;
            Oid place = OidIsValid(row->reltablespace) ? row->reltablespace : tablespace;
            each(tuple, *row, ForkName{place, row->relfilenode, MAIN_FORKNUM});
        });
    pages.close();
}

}  // namespace

/// Of a template, which has nothing dirty. Rows that are no more are read as well: no file that is
/// there is one of a relation that is gone, and a relation has the same OID in all of its rows.
std::span<RelationOf> relations_of(Oid database, Oid tablespace, const Files& files) {
    Growing<RelationOf> found;
    File file = file_of_class(database, tablespace, files);
    each_class(file, database, tablespace, {},
               [&](HeapTuple /*tuple*/, const FormData_pg_class& row, const ForkName& name) {
                   found.add({name, row.oid, row.relkind == RELKIND_INDEX});
               });
    std::ranges::sort(found.all(), {}, &RelationOf::file);
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
