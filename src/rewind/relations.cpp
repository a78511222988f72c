// Reading pg_class of a template from its file, because nobody may enter it. Rows that are no more
// are read as well: no file that is there is one of a relation that is gone, and a relation has the
// same OID in all of its rows.

#include "rewind/relations.h"

#include "rewind/segments.h"

namespace testpool::rewind {

namespace {

template <class Each>
void each_row(Page page, Each each) {
    int last = PageIsNew(page) ? 0 : static_cast<int>(PageGetMaxOffsetNumber(page));
    for (int offset = FirstOffsetNumber; offset <= last; offset++) {
        ItemId line = PageGetItemId(page, static_cast<OffsetNumber>(offset));
        if (!ItemIdIsNormal(line)) continue;
        auto* row = reinterpret_cast<HeapTupleHeader>(PageGetItem(page, line));
        each(*reinterpret_cast<Form_pg_class>(reinterpret_cast<char*>(row) + row->t_hoff));
    }
}

}  // namespace

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
        each_row(page, [&](const FormData_pg_class& row) {
            Oid place = OidIsValid(row.reltablespace) ? row.reltablespace : tablespace;
            bool is_index = row.relkind == RELKIND_INDEX;
            if (row.relfilenode != 0)
                found.add({{place, row.relfilenode, MAIN_FORKNUM}, row.oid, is_index});
        });
    }
    segments.close();
    pfree(page);
    std::ranges::sort(found.all(), {}, &RelationOf::file);
    return found.all();
}

}  // namespace testpool::rewind
