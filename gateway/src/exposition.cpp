#include "exposition.h"

namespace gateway {

namespace {

const char* name_of(Exposition::Kind kind) {
    switch (kind) {
        case Exposition::Kind::counter:
            return "counter";
        case Exposition::Kind::histogram:
            return "histogram";
        default:
            return "gauge";
    }
}

std::string escaped(const std::string& text) {
    std::string result;
    for (char letter : text) {
        if (letter == '\n')
            result += "\\n";
        else if (letter == '"' || letter == '\\')
            (result += '\\') += letter;
        else
            result += letter;
    }
    return result;
}

}  // namespace

void Exposition::family(const std::string& name, Kind kind, const std::string& unit,
                        const std::string& help) {
    name_ = name;
    kind_ = kind;
    text_ += "# TYPE " + name + " " + name_of(kind) + "\n";
    if (!unit.empty()) text_ += "# UNIT " + name + " " + unit + "\n";
    text_ += "# HELP " + name + " " + help + "\n";
}

void Exposition::sample(const Labels& labels, const std::string& value) {
    sample(kind_ == Kind::counter ? "_total" : "", labels, value);
}

void Exposition::sample(const std::string& suffix, const Labels& labels, const std::string& value) {
    text_ += name_ + suffix;
    const char* before = "{";
    for (const auto& [label, of] : labels) {
        text_ += before + label + "=\"" + escaped(of) + "\"";
        before = ",";
    }
    text_ += (labels.empty() ? " " : "} ") + value + "\n";
}

}  // namespace gateway
