// IntegreSQL's REST API: /api/v1.
#pragma once

#include "router.h"
#include "templates.h"

namespace gateway::api {

void define(Router& router, Templates& templates);

}  // namespace gateway::api
