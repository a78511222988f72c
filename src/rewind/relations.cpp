// Reading pg_class of a template from its file, because nobody may enter it. Rows that are no more
// are read as well: no file that is there is one of a relation that is gone, and a relation has the
// same OID in all of its rows.

#include "rewind/relations.h"

#include "rewind/rows.h"

namespace testpool::rewind {

std::span<RelationOf> relations_of(Oid database, Oid tablespace, const Files& files) {
    Growing<RelationOf> found;
    RelNumber number =
        compat::mapped_file(GetDatabasePath(database, tablespace), RelationRelationId);
    const Fork* catalog = files.find({tablespace, number, MAIN_FORKNUM});
    int64 pages = catalog == nullptr ? 0 : catalog->bytes / BLCKSZ;
    auto* page = static_cast<char*>(palloc(BLCKSZ));
    Segments segments(database, {tablespace, number, MAIN_FORKNUM});
    for (int64 block = 0; block < pages; block++) {
        segments.read(static_cast<BlockNumber>(block), 1, page);
        each_row(page, [&](HeapTuple tuple) {
            auto* row = form_of<FormData_pg_class>(tuple);
            if (row == nullptr || row->relfilenode == 0) return;
            Oid place = OidIsValid(row->reltablespace) ? row->reltablespace : tablespace;
            bool is_index = row->relkind == RELKIND_INDEX;
            found.add({{place, row->relfilenode, MAIN_FORKNUM}, row->oid, is_index});
        });
    }
    segments.close();
    pfree(page);
    std::ranges::sort(found.all(), {}, &RelationOf::file);
    return found.all();
}

}  // namespace testpool::rewind
