// Markup. Text gets into it escaped, and in no other way.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace gateway::page {

class Html {
  public:
    Html() = default;
    // Implicit, so that text may stand where markup may.
    Html(const std::string& text);  // NOLINT(google-explicit-constructor)
    Html(const char* text) : Html(std::string(text)) {}

    Html& operator+=(const Html& more) {
        markup_ += more.markup_;
        return *this;
    }
    const std::string& markup() const { return markup_; }
    bool empty() const { return markup_.empty(); }

  private:
    friend Html element(const char* name, const std::vector<std::pair<const char*, std::string>>&,
                        const Html& content);
    std::string markup_;
};

using Attributes = std::vector<std::pair<const char*, std::string>>;

Html element(const char* name, const Attributes& attributes, const Html& content);

template <class... Content>
Html tag(const char* name, const Attributes& attributes, const Content&... content) {
    Html all;
    ((all += Html(content)), ...);
    return element(name, attributes, all);
}

}  // namespace gateway::page
