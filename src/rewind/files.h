// The files of a database: which relations and forks there are, how long, and whether they were
// written since they were last stamped.
#pragma once

#include "pg/server.h"

namespace testpool::rewind {

/// One fork of one relation, all its segments together.
struct Fork {
    RelNumber relation;
    ForkNumber fork;
    int64 bytes;
    bool written;  // since stamp()

    auto key() const { return std::pair{relation, fork}; }
};

struct Files {
    Fork* forks = nullptr;  // sorted by key()
    int count = 0;
    bool init_file_written = true;  // pg_internal.init is missing or was written

    std::span<Fork> all() const { return {forks, static_cast<size_t>(count)}; }
    Fork* find(RelNumber relation, ForkNumber fork) const;
};

/// Looks at every file of the database in the default tablespace. Removes what killed sessions left
/// of temporary relations.
Files scan(Oid database, Oid tablespace);

/// Gives every file the one modification time that no write can give it. Nobody may be in the
/// database and no buffer of it dirty.
void stamp(Oid database, Oid tablespace);
/// The same for the files of some forks, and for the relation-cache file.
void stamp(Oid database, Oid tablespace, std::span<const Fork> forks);

/// True if the database has a directory in another tablespace.
bool has_other_tablespaces(Oid database, Oid tablespace);

/// Copies the relation-cache file, so that the first session need not build it; PostgreSQL's own
/// CREATE DATABASE … STRATEGY file_copy does the same.
void copy_init_file(Oid source, Oid target, Oid tablespace);

/// True if both databases map their mapped catalogs to the same files.
bool same_relation_map(Oid one, Oid other, Oid tablespace);

}  // namespace testpool::rewind
