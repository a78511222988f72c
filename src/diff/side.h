// One of the two databases that are compared, seen from outside (rewind/rows.h). What is not
// committed is not seen.
#pragma once

#include "pg/growing.h"
#include "rewind/rows.h"

namespace testpool::diff {

using rewind::DirtyBlock;
using rewind::Fork;
using rewind::ForkName;

using Blocks = std::span<const BlockNumber>;

/// What pg_class says of a relation.
struct ClassRow {
    Oid oid;
    Oid schema;
    Oid table;  // whose index or TOAST table it is; else its own OID
    char kind;
    ForkName file;      // of its main fork; none if it has no storage
    uint64 definition;  // a fingerprint of what commands can change in it
    NameData name;
};

struct Schema {
    Oid oid;
    NameData name;
};

/// The blocks from `first` up to `end`.
Blocks blocks_between(BlockNumber first, BlockNumber end);

/// A fingerprint of what a row says: everything but which transactions made it.
uint64 hash_of(HeapTuple row);

class Side {
  public:
    explicit Side(Oid database) : Side(database, facts_of(database)) {}

    Oid database() const { return database_; }
    /// A name of that database in the encoding of this one.
    const char* readable(const char* name) const;
    /// Nullptr if there is no such file.
    const Fork* fork(const ForkName& name) const { return files_.find(name); }
    BlockNumber length(const ForkName& name) const;
    std::span<const DirtyBlock> dirty_blocks(const ForkName& name) const {
        return rewind::blocks_of(dirty_, name);
    }
    rewind::PageReader pages(const ForkName& name) const {
        return {database_, name, dirty_blocks(name)};
    }

    std::span<ClassRow> relations() const { return relations_.all(); }  // sorted by OID
    /// Nullptr if there is no such relation.
    const ClassRow* relation(Oid oid) const;
    /// Nullptr if there is no such schema, or if it is a session's temporary one.
    const char* schema_name(Oid schema) const;
    /// The type's name in a signature.
    const char* type_name(Oid type) const;

    /// Calls each(row) for every row in these blocks of a table's file.
    template <class Each>
    void each_row(const ForkName& file, Blocks blocks, Each each) const;
    /// The same for the whole of a catalog.
    template <class Each>
    void each_row(Oid catalog, Each each) const;

  private:
    struct Facts {
        int encoding;
        Oid tablespace;
    };
    static Facts facts_of(Oid database);
    Side(Oid database, Facts facts);
    ForkName file_of(const FormData_pg_class& row) const;
    void read_relations();
    void give_indexes_to_tables();
    void read_schemas();

    Oid database_;
    int encoding_;
    Oid tablespace_;
    const char* directory_;
    std::span<DirtyBlock> dirty_;
    rewind::Files files_;
    Growing<ClassRow> relations_;
    Growing<Schema> schemas_;
};

template <class Each>
void Side::each_row(const ForkName& file, Blocks blocks, Each each) const {
    rewind::PageReader pages = this->pages(file);
    for (BlockNumber block : blocks) {
        CHECK_FOR_INTERRUPTS();
        rewind::each_row(pages.at(block), [&](HeapTuple row) {
            if (rewind::is_live(row->t_data)) each(row);
        });
    }
    pages.close();
}

template <class Each>
void Side::each_row(Oid catalog, Each each) const {
    const ClassRow* found = relation(catalog);
    if (found != nullptr) each_row(found->file, blocks_between(0, length(found->file)), each);
}

}  // namespace testpool::diff
