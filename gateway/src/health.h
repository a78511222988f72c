// Whether the gateway runs, and whether it can serve.
#pragma once

#include "pool.h"
#include "router.h"

namespace gateway::health {

void define(Router& router, Pool& pool);

}  // namespace gateway::health
