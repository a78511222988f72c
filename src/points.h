// Named points for tests of what happens when a process dies, fails or dawdles just there. They
// exist only in a build with -DTESTPOOL_POINTS (make POINTS=yes); in any other they are nothing.
//
// A test names one in the file `testpool_point` of the data directory, as "NAME ACTION":
//   kill   the process that passes the point kills itself with SIGKILL
//   error  it raises an ERROR
//   wait   it renames the file to testpool_point.reached, and goes on once that is gone
// The first process that passes takes the order away; the next ones pass freely.
#pragma once

#ifdef TESTPOOL_POINTS

#include "pg/server.h"

namespace testpool::points {
void pass(const char* name);
}
#define TESTPOOL_POINT(name) ::testpool::points::pass(name)

#else

#define TESTPOOL_POINT(name) static_cast<void>(0)

#endif
