// The files of a database: which relations and forks there are, how long, and whether they were
// written since they were last stamped.
#pragma once

#include "pg/server.h"

namespace testpool::rewind {

/// One fork of one relation, all its segments together.
struct ForkName {
    Oid tablespace = InvalidOid;
    RelNumber relation = 0;  // 0: no fork's name
    ForkNumber fork = MAIN_FORKNUM;
    auto operator<=>(const ForkName&) const = default;
    bool same_relation(const ForkName& other) const {
        return tablespace == other.tablespace && relation == other.relation;
    }
};

struct Fork {
    ForkName name;
    int64 bytes;
    bool written;          // since stamp()
    bool is_void = false;  // of an unlogged relation: a crash takes nothing from it
};

/// What a file's name says.
ForkName parse(Oid tablespace, const char* name);
/// True for a file that a session's temporary relation has.
bool is_temporary(const char* name);
constexpr const char* init_file = "pg_internal.init";

struct Files {
    std::span<Fork> forks;          // sorted by name
    bool init_file_written = true;  // pg_internal.init is missing or was written

    Fork* find(const ForkName& name) const;
};

/// Where a segment of a fork lies.
const char* path_of(Oid database, const ForkName& name, int64 segment);

/// The tablespaces in which the database has a directory; its own first.
std::span<Oid> tablespaces_of(Oid database, Oid own);

/// Temporary relations are those of sessions inside, or of killed ones.
enum class Temporary : bool { leave, remove };

/// Looks at every file of the database. If nobody is in it, what is temporary is to be removed.
Files scan(Oid database, std::span<const Oid> tablespaces, Temporary temporary = Temporary::remove);

/// Looks at these forks only, which are sorted. Every other file is as it was when the database was
/// stamped, and that was as in `stamped`.
Files scan(Oid database, const Files& stamped, std::span<const ForkName> written,
           bool init_file_written);

/// Gives every file the one modification time that no write can give it. Nobody may be in the
/// database and no buffer of it dirty. Where the file system does not keep it, files count as
/// written.
void stamp(Oid database, std::span<const Oid> tablespaces);
/// The same for the files of some forks, and for the relation-cache file.
void stamp(Oid database, Oid tablespace, std::span<const Fork> forks);
/// False if this process has found out that the file system of one of them does not keep it.
bool keeps_stamps(std::span<const Oid> tablespaces);

}  // namespace testpool::rewind
