// The page as a whole: the HTML document, and what of it has changed since.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "sections.h"

namespace gateway::page {

std::string document(const Scene& scene);

/// What one client has been sent.
class Sent {
  public:
    /// By section: the order of its blocks, and the markup of those that are new to the client.
    nlohmann::json changes(const std::vector<Section>& sections);

  private:
    std::map<std::string, std::string> blocks_;
    std::map<std::string, std::vector<std::string>> orders_;
};

}  // namespace gateway::page
