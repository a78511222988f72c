// GET /: a page for the person whose suite is slow or whose test has failed; GET /events: what
// changes on it.
#pragma once

#include "../router.h"
#include "watch.h"

namespace gateway::page {

void define(Router& router, gateway::Pool& pool, Watch& watch);

}  // namespace gateway::page
