// Putting pages back: one fork of one relation made equal to its template's, through shared buffers
// and the write-ahead log.
#pragma once

#include "pg/server.h"

namespace testpool::rewind {

struct ForkPair {
    Locator source;        // the template's relation
    Locator target;        // the clone's
    XLogRecPtr sealed_at;  // no page of the template may be younger
    bool logged;           // else it is an unlogged relation
};

/// True if the log may leave out the hole in the middle of the page: it is there and all zeros.
bool has_empty_hole(const char* page);
/// Raises if a page of the template was changed after the seal.
void refuse_younger(const ForkPair& pair, ForkNumber fork, BlockNumber block, const char* page);

/// Compares these blocks and puts back those that differ; returns how many did.
int64 restore_blocks(const ForkPair& pair, ForkNumber fork, std::span<const BlockNumber> blocks);
/// The same for every block below `length`.
int64 restore_all(const ForkPair& pair, ForkNumber fork, BlockNumber length);
/// Makes the target's fork `length` blocks long, creating it if need be. Truncations are what
/// shortens a main fork.
void resize(const ForkPair& pair, ForkNumber fork, BlockNumber length);
/// Drops a relation that the template does not have, when the transaction commits.
void drop_relation(const Locator& target);

}  // namespace testpool::rewind
