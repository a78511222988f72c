// What the databases lie on: the file system below a tablespace.
#pragma once

#include "pg/server.h"

namespace testpool::disk {

/// Bytes that are free for the databases of a tablespace; invalid: of the default one.
int64 free_bytes(Oid tablespace);
/// Bytes that the files of a database take there at present; 0: it has none.
int64 bytes_of(Oid database, Oid tablespace);
/// Name of the file system that a database lies on, such as "ext4".
const char* file_system(Oid database, Oid tablespace);
/// True if files there outlast a crash of the machine once they are flushed, which takes its time.
bool is_lasting(Oid database, Oid tablespace);
/// True if a copy of a file can share its blocks there, and the server knows how to make one. It is
/// tried once for each tablespace, beside the database.
bool shares_blocks(Oid database, Oid tablespace);

}  // namespace testpool::disk
