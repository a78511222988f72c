// What did the test do? How a clone differs from its template, object by object.
#pragma once

#include "pg/server.h"

namespace testpool::diff {

/// Puts a row of testpool.difference into the result for each object of the clone that is not as in
/// its source. Sessions may be inside; the clone has that name still, or 55000 is raised.
void list(Oid source, Oid clone, const NameData& name, ReturnSetInfo* result);

}  // namespace testpool::diff
