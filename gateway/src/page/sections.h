// What the page shows, in parts that are sent again when they change.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "html.h"
#include "watch.h"

namespace gateway::page {

/// A child of a section, under an id that is its own on the whole page.
struct Block {
    std::string id;
    Html html;
};

struct Section {
    const char* id;
    std::vector<Block> blocks;
};

/// Where the reader looks: at one database, at one template, or at all.
struct Look {
    std::optional<std::string> database;
    std::optional<std::string> hash;
};

/// What a test did to the database that is looked at, as testpool.diff says; or why not.
struct Difference {
    nlohmann::json rows = nlohmann::json::array();
    std::string error;
    std::string at;
};

/// What the rest of the gateway tells the page.
struct Setting {
    std::string host;  // of psql's command line
    std::string port;
    std::string user;
    bool may_release = false;
};

struct Scene {
    const Snapshot& now;
    const Look& look;
    const Difference& difference;
    const Setting& setting;
};

/// All of them, in the page's order.
std::vector<Section> sections_of(const Scene& scene);

/// What is common to them.
const nlohmann::json& rows_of(const Snapshot& now, const char* what);
Html cell(const char* label, const Html& content);
Html figure_cell(const char* label, const Html& content);
Html database_link(const std::string& database);
Html psql_line(const Setting& setting, const std::string& database);
Html release_form(const Setting& setting, const std::string& database);
Html holder_of(const nlohmann::json& database);

Section inspector_of(const Scene& scene);

}  // namespace gateway::page
