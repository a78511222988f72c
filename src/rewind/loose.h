// The loose files of a database, which are no relation's: the relation-cache file and the map of
// the catalogs that have no fixed file.
#pragma once

#include "pg/server.h"

namespace testpool::rewind {

/// Copies the relation-cache file, so that the first session need not build it; PostgreSQL's own
/// CREATE DATABASE … STRATEGY file_copy does the same.
void copy_init_file(Oid source, Oid target, Oid tablespace);

/// True if both map their catalogs to the same files.
bool has_same_map(Oid source, Oid target, Oid tablespace);

/// Has the target map its catalogs to the same files as the source, logged. True if it did not.
bool copy_relation_map(Oid source, Oid target, Oid tablespace);

}  // namespace testpool::rewind
