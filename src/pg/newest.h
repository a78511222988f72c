// The newest version of a row, found from one that is known. A scan of an index walks all versions
// that somebody's old snapshot may still see: with a session that keeps one for hours, thousands.
#pragma once

#include "pg/server.h"

namespace testpool {

struct NewestRow {
    HeapTuple row;         // a copy; nullptr: there is none, or it cannot be found from there
    bool written = false;  // by somebody's transaction that has not ended
};

/// Follows the versions from the one at `from`, as heap_get_latest_tid() in heapam.c. That place
/// may have been given to another row since: look at what is found.
NewestRow newest_from(Relation table, ItemPointerData from);

}  // namespace testpool
