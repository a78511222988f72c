#include "format.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>

namespace gateway::page {

namespace {

template <class... Values>
std::string printed(const char* format, Values... values) {
    std::array<char, 64> text{};
    snprintf(text.data(), text.size(), format, values...);
    return text.data();
}

/// With at most three digits that mean something.
std::string rounded(double value) { return printed(value < 9.95 ? "%.1f" : "%.0f", value); }

bool is_plain(unsigned char letter) {
    return isalnum(letter) != 0 || letter == '-' || letter == '_' || letter == '.' || letter == '/';
}

}  // namespace

bool has(const json& row, const char* field) {
    auto found = row.find(field);
    return found != row.end() && !found->is_null();
}

std::string text_of(const json& row, const char* field) {
    if (!has(row, field)) return "";
    const json& value = row[field];
    return value.is_string() ? value.get<std::string>() : value.dump();
}

double number_of(const json& row, const char* field) {
    return has(row, field) && row[field].is_number() ? row[field].get<double>() : 0;
}

std::string bytes_text(double bytes) {
    constexpr std::array<const char*, 6> units = {"B", "kB", "MB", "GB", "TB", "PB"};
    size_t unit = 0;
    double size = std::abs(bytes);
    for (; size >= 1000 && unit + 1 < units.size(); unit++) size /= 1024;
    std::string text = bytes < 0 ? "−" : "";
    text += unit == 0 ? printed("%.0f", size) : rounded(size);
    return text.append(" ").append(units[unit]);
}

std::string duration_text(double milliseconds) {
    if (milliseconds < 0.095) return printed("%.2f ms", milliseconds);
    if (milliseconds < 1'000) return rounded(milliseconds) + " ms";
    if (milliseconds < 100'000) return rounded(milliseconds / 1'000) + " s";
    return rounded(milliseconds / 60'000) + " min";
}

std::string count_text(double count) {
    std::string digits = printed("%.0f", std::abs(count));
    for (int at = static_cast<int>(digits.size()) - 3; at > 0; at -= 3) digits.insert(at, ",");
    std::string text = count < 0 ? "−" : "";
    return text += digits;
}

std::string counted(double count, const std::string& noun) {
    return count_text(count) + " " + noun + (count == 1 ? "" : "s");
}

Html time_tag(const std::string& timestamp) {
    if (timestamp.size() < 19) return "—";
    return tag("time", {{"datetime", timestamp}}, timestamp.substr(11, 8));
}

std::string title_of(const std::string& name, const std::string& hash) {
    if (!name.empty()) return name;
    if (hash.empty()) return "root template";
    if (hash.size() <= 40) return hash;
    size_t end = 24;
    while ((static_cast<unsigned char>(hash[end]) & 0xC0) == 0x80) end--;  // no half of a letter
    return hash.substr(0, end) + "…";
}

std::string link_to(const char* what, const std::string& value) {
    std::string link = std::string("/?") + what + "=";
    for (unsigned char letter : value)
        link += is_plain(letter) ? std::string(1, static_cast<char>(letter))
                                 : printed("%%%02X", letter);
    return link;
}

std::string id_of(const char* kind, const std::string& text) {
    std::uint64_t mark = 14695981039346656037U;  // FNV-1a
    for (unsigned char letter : text) mark = (mark ^ letter) * 1099511628211U;
    return kind + printed("-%016llx", static_cast<unsigned long long>(mark));
}

std::string shell_word(const std::string& text) {
    if (!text.empty() && text[0] != '-' && std::ranges::all_of(text, is_plain)) return text;
    std::string word = "'";
    for (char letter : text) {
        if (letter == '\'') word += "'\\'";
        word += letter;
    }
    return word += "'";
}

}  // namespace gateway::page
