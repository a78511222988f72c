// How the page writes figures, times and names.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "html.h"

namespace gateway::page {

using nlohmann::json;

/// A field as text; empty where it is NULL or not there.
std::string text_of(const json& row, const char* field);
/// As a number; 0 where it is none.
double number_of(const json& row, const char* field);
bool has(const json& row, const char* field);

std::string bytes_text(double bytes);
std::string duration_text(double milliseconds);
std::string count_text(double count);
/// "1 database", "2 databases".
std::string counted(double count, const std::string& noun);
/// The time of day of what PostgreSQL wrote as a timestamp. A script makes its age of it.
Html time_tag(const std::string& timestamp);
/// How people call a template.
std::string title_of(const std::string& name, const std::string& hash);
/// Of an address: `/?database=…`.
std::string link_to(const char* what, const std::string& value);
/// A name that is safe as the id of an element, whatever is in the text.
std::string id_of(const char* kind, const std::string& text);
/// As one word of a shell.
std::string shell_word(const std::string& text);

}  // namespace gateway::page
