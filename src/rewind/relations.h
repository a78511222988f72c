// Which relation a file of a sealed template is of.
#pragma once

#include "pg/growing.h"
#include "rewind/buffers.h"

namespace testpool::rewind {

struct RelationOf {
    ForkName file;  // of its main fork
    Oid oid;
    bool is_index;
};

/// What pg_class says, sorted by file. Catalogs without a fixed file are not in it.
std::span<RelationOf> relations_of(Oid database, Oid tablespace, const Files& files);

struct IndexOf {
    ForkName file;  // main forks
    ForkName table;
};

/// The indexes of a template, and whose they are. Those of catalogs may be left out.
std::span<IndexOf> indexes_of(Oid database, Oid tablespace, const Files& files);

/// True if pg_class of a database that nobody is in has each of the files `wanted`, main forks in
/// order, which are neither dropped nor replaced then.
bool are_in_use(std::span<const ForkName> wanted, Oid database, Oid tablespace, const Files& files,
                std::span<const DirtyBlock> dirty);

}  // namespace testpool::rewind
