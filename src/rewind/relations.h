// Which relation a file of a sealed template is of.
#pragma once

#include "pg/growing.h"
#include "rewind/files.h"

namespace testpool::rewind {

struct RelationOf {
    ForkName file;  // of its main fork
    Oid oid;
    bool is_index;
};

/// What pg_class says, sorted by file. Catalogs without a fixed file are not in it.
std::span<RelationOf> relations_of(Oid database, Oid tablespace, const Files& files);

}  // namespace testpool::rewind
