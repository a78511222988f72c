#include "html.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace gateway::page {

namespace {

constexpr std::array<std::string_view, 5> void_elements = {"br", "input", "link", "meta", "rect"};

std::string escaped(const std::string& text) {
    std::string result;
    result.reserve(text.size());
    for (char letter : text) {
        switch (letter) {
            case '&':
                result += "&amp;";
                break;
            case '<':
                result += "&lt;";
                break;
            case '>':
                result += "&gt;";
                break;
            case '"':
                result += "&quot;";
                break;
            case '\'':
                result += "&#39;";
                break;
            default:
                result += letter;
        }
    }
    return result;
}

}  // namespace

Html::Html(const std::string& text) : markup_(escaped(text)) {}

Html element(const char* name, const Attributes& attributes, const Html& content) {
    Html result;
    std::string& markup = result.markup_;
    (markup += '<') += name;
    for (const auto& [attribute, value] : attributes)
        ((((markup += ' ') += attribute) += "=\"") += escaped(value)) += '"';
    markup += '>';
    // In SVG the parser of HTML closes a <rect> only if it is told to.
    if (std::string_view(name) == "rect") {
        markup.back() = '/';
        markup += '>';
    }
    if (std::ranges::find(void_elements, name) == void_elements.end())
        (((markup += content.markup_) += "</") += name) += '>';
    return result;
}

}  // namespace gateway::page
