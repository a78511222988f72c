// Which pages of a clone's file differ from its template's: the files are read side by side,
// because that is several times faster than to read each page into shared buffers.
#pragma once

#include "rewind/files.h"

namespace testpool::rewind {

/// True if two pages are the same but for LSN and checksum.
bool same_page(const char* a, const char* b);

/// The blocks below `length` that differ in the files of the two databases, in order. What is dirty
/// in shared buffers has to be looked for there.
std::span<BlockNumber> differing_blocks(Oid source, Oid target, const ForkName& name,
                                        BlockNumber length);

}  // namespace testpool::rewind
