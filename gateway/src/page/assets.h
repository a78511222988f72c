// Files of the page, which are part of the program.
#pragma once

#include <string_view>

namespace gateway::page {

std::string_view stylesheet();
std::string_view script();
std::string_view icon();

}  // namespace gateway::page
