// Who owns testpool's databases, and who has privileges on them, while a test gives away or drops
// what a role owns.
#pragma once

#include "pg/server.h"

namespace testpool::ownership {

/// REASSIGN OWNED and DROP OWNED reach every database of the server. Run in a database that was
/// handed out, they are not to reach testpool's others: call this before, with the roles' names.
/// Nobody else changes those databases' rows until the transaction ends.
List* guard(List* roles);

/// Call it afterwards with what guard() returned.
void put_back(List* guarded);

}  // namespace testpool::ownership
