#include "sections.h"

#include <algorithm>
#include <cstring>
#include <map>

#include "format.h"
#include "plot.h"

namespace gateway::page {

namespace {

/// A template with all that has its hash.
struct Pool {
    const json* row = nullptr;  // none: of the root template
    std::string hash;
    std::string name;
    std::vector<const json*> databases;
    std::array<int, states.size()> count{};
    double waited_p95 = 0;
    double bytes = 0;
    std::string used_at;
};

std::vector<Pool> pools_of(const Snapshot& now) {
    std::vector<Pool> pools;
    std::map<std::string, size_t> by_hash;
    auto of = [&](const std::string& hash) -> Pool& {
        auto [found, fresh] = by_hash.try_emplace(hash, pools.size());
        if (fresh) {
            Pool& pool = pools.emplace_back();
            pool.hash = hash;
        }
        return pools[found->second];
    };
    for (const json& each : rows_of(now, "templates")) {
        if (text_of(each, "state") == "discarded") continue;
        Pool& pool = of(text_of(each, "hash"));
        pool.row = &each;
        pool.name = text_of(each, "name");
    }
    for (const json& each : rows_of(now, "databases")) {
        Pool& pool = of(text_of(each, "hash"));
        if (pool.name.empty()) pool.name = text_of(each, "template");
        pool.databases.push_back(&each);
        const auto* state = std::ranges::find(states, text_of(each, "state"));
        if (state != states.end()) pool.count[state - states.begin()]++;
    }
    for (const json& each : rows_of(now, "stats")) {
        auto found = by_hash.find(text_of(each, "hash"));
        if (found == by_hash.end()) continue;
        Pool& pool = pools[found->second];
        pool.waited_p95 = std::max(pool.waited_p95, number_of(each, "wait_p95_ms"));
        pool.bytes += number_of(each, "bytes");
        pool.used_at = std::max(pool.used_at, text_of(each, "last_used_at"));
    }
    return pools;
}

Block empty_row(const char* id, const char* columns, const char* text) {
    return {id,
            tag("tr", {{"id", id}, {"class", "none"}}, tag("td", {{"colspan", columns}}, text))};
}

// --- at the top ----------------------------------------------------------------------------------

Block summary_figure(const char* id, const std::string& value, const char* label) {
    return {id, tag("div", {{"id", id}}, tag("dt", {}, label), tag("dd", {}, value))};
}

Section summary(const Snapshot& now, const std::vector<Pool>& pools) {
    std::map<std::string, int> count;
    double bytes = 0;
    int templates = 0;
    for (const Pool& pool : pools) {
        for (size_t i = 0; i < states.size(); i++) count[states[i]] += pool.count[i];
        bytes += pool.bytes;
        templates += pool.row != nullptr;
    }
    return {
        "summary",
        {summary_figure("sum-templates", count_text(templates), "templates"),
         summary_figure("sum-ready", count_text(count["ready"]), "ready"),
         summary_figure("sum-leased", count_text(count["leased"]), "leased"),
         summary_figure("sum-kept", count_text(count["kept"]), "kept"),
         summary_figure("sum-work", count_text(count["cloning"] + count["recycling"]), "at work"),
         summary_figure("sum-waiting", count_text(number_of(now.all, "waiting")), "waiting"),
         summary_figure("sum-bytes", bytes_text(bytes), "in use"),
         summary_figure("sum-free", bytes_text(number_of(now.all, "free")), "free")}};
}

Section alert(const Snapshot& now) {
    if (now.error.empty()) return {"alert", {}};
    return {"alert",
            {{"alert-server", tag("p", {{"id", "alert-server"}},
                                  tag("strong", {}, "PostgreSQL does not answer. "), now.error)}}};
}

Section advice(const Snapshot& now) {
    Section section{"advice", {}};
    for (const json& sentence : now.advice) {
        if (!sentence.is_string()) continue;
        std::string text = sentence.get<std::string>();
        std::string id = id_of("advice", text);
        section.blocks.push_back({id, tag("li", {{"id", id}}, text)});
    }
    if (section.blocks.empty())
        section.blocks.push_back(
            {"advice-none", tag("li", {{"id", "advice-none"}, {"class", "none"}},
                                "Nothing to improve that testpool knows of.")});
    return section;
}

// --- kept ----------------------------------------------------------------------------------------

Block kept_card(const Scene& scene, const json& database) {
    std::string name = text_of(database, "database");
    std::string id = id_of("kept", name);
    std::string reason = text_of(database, "reason");
    Html title = tag("h3", {}, database_link(name));
    Html why = tag("p", {{"class", reason.empty() ? "reason none" : "reason"}},
                   reason.empty() ? Html("No reason was given.") : Html(reason));
    Html of = tag("p", {{"class", "aside"}},
                  title_of(text_of(database, "template"), text_of(database, "hash")), " · ",
                  holder_of(database), " · leased ", time_tag(text_of(database, "leased_at")));
    Html actions = tag("div", {{"class", "actions"}},
                       tag("a", {{"class", "button"}, {"href", link_to("database", name)}},
                           "What did the test do?"),
                       release_form(scene.setting, name));
    return {id,
            tag("article", {{"id", id}}, title, why, of, psql_line(scene.setting, name), actions)};
}

Section kept(const Scene& scene, const std::vector<Pool>& pools) {
    Section section{"kept", {}};
    for (const Pool& pool : pools)
        for (const json* each : pool.databases)
            if (text_of(*each, "state") == "kept")
                section.blocks.push_back(kept_card(scene, *each));
    if (section.blocks.empty())
        section.blocks.push_back(
            {"kept-none", tag("p", {{"id", "kept-none"}, {"class", "none"}},
                              "No database is kept. A test that fails keeps its own with ",
                              tag("code", {}, "testpool.keep(database, reason)"), ".")});
    return section;
}

// --- templates -----------------------------------------------------------------------------------

Html cell_of(const json& database) {
    std::string name = text_of(database, "database");
    std::string state = text_of(database, "state");
    std::string label = name + ", " + state;
    if (state == "leased" || state == "kept") label += " by " + text_of(database, "role");
    return tag("a", {{"id", id_of("cell", name)},
                     {"class", state},
                     {"href", link_to("database", name)},
                     {"aria-label", label},
                     {"title", label}});
}

Html state_of(const Pool& pool) {
    if (pool.row == nullptr)
        return pool.hash.empty() ? Html() : tag("span", {{"class", "badge"}}, "discarded");
    if (text_of(*pool.row, "state") != "building") return {};
    std::string builder = text_of(*pool.row, "builder_application_name");
    if (builder.empty()) builder = text_of(*pool.row, "owner");
    return tag("span", {{"class", "badge"}}, "building by ", builder, ", ",
               time_tag(text_of(*pool.row, "claimed_at")));
}

Html count_cell(const char* label, int count) {
    return tag("td", {{"data-label", label}, {"class", count == 0 ? "n zero" : "n"}},
               count_text(count));
}

Block template_rows(const Pool& pool) {
    std::string id = id_of("template", pool.hash);
    std::map<std::string, int> count;
    for (size_t i = 0; i < states.size(); i++) count[states[i]] = pool.count[i];
    Html name =
        tag("th", {{"scope", "row"}},
            tag("a", {{"href", link_to("template", pool.hash)}}, title_of(pool.name, pool.hash)),
            " ", state_of(pool));
    Html cells;
    for (const json* each : pool.databases) cells += cell_of(*each);
    Html figures =
        tag("tr", {}, name, count_cell("ready", count["ready"]),
            count_cell("leased", count["leased"]), count_cell("kept", count["kept"]),
            count_cell("at work", count["cloning"] + count["recycling"]),
            count_cell("failed", count["failed"]),
            figure_cell("95 % waited", pool.waited_p95 > 0 ? duration_text(pool.waited_p95) : "—"),
            figure_cell("size", bytes_text(pool.bytes)),
            figure_cell("last used", time_tag(pool.used_at)));
    Html drawn =
        pool.databases.empty() ? Html("no databases yet") : tag("div", {{"class", "cells"}}, cells);
    return {id, tag("tbody", {{"id", id}}, figures,
                    tag("tr", {{"class", "pool"}}, tag("td", {{"colspan", "9"}}, drawn)))};
}

Section templates(const std::vector<Pool>& pools) {
    Section section{"templates", {}};
    for (const Pool& pool : pools) section.blocks.push_back(template_rows(pool));
    if (section.blocks.empty())
        section.blocks.push_back(
            {"templates-none",
             tag("tbody", {{"id", "templates-none"}},
                 tag("tr", {{"class", "none"}},
                     tag("td", {{"colspan", "9"}},
                         "There is no template yet: the first run of a suite builds one.")))});
    return section;
}

Section gone(const Snapshot& now) {
    Section section{"gone", {}};
    for (const json& each : rows_of(now, "templates")) {
        if (text_of(each, "state") != "discarded") continue;
        std::string hash = text_of(each, "hash");
        std::string id = id_of("gone", hash + text_of(each, "claimed_at"));
        Html name =
            tag("a", {{"href", link_to("template", hash)}}, title_of(text_of(each, "name"), hash));
        section.blocks.push_back(
            {id, tag("tr", {{"id", id}}, tag("th", {{"scope", "row"}}, name),
                     cell("discarded", time_tag(text_of(each, "discarded_at"))),
                     cell("reason", text_of(each, "reason")))});
    }
    if (section.blocks.empty()) section.blocks.push_back(empty_row("gone-none", "3", "None."));
    return section;
}

// --- waits, leases, workers ----------------------------------------------------------------------

Section waits(const Snapshot& now) {
    History::Buckets buckets = now.history->last(now.at, std::nullopt);
    Steps all;
    for (const Activity& each : buckets)
        for (const auto& [up_to, count] : each.waited) all[up_to] += count;
    Waits waits = waits_of(all);
    Html figures;
    auto put = [&](const char* label, const std::string& value, const char* kind) {
        figures += tag("div", {}, tag("dt", {{"class", kind}}, label), tag("dd", {}, value));
    };
    std::string none = "—";
    bool any = waits.count > 0;
    put("half", any ? duration_text(waits.p50) : none, "p50");
    put("95 %", any ? duration_text(waits.p95) : none, "p95");
    put("99 %", any ? duration_text(waits.p99) : none, "p99");
    put("longest", any ? duration_text(waits.longest) : none, "");
    put("handed out", count_text(static_cast<double>(waits.count)), "");
    return {"waits",
            {{"waits-figures", tag("dl", {{"id", "waits-figures"}, {"class", "figures"}}, figures)},
             {"waits-plot", tag("div", {{"id", "waits-plot"}}, plot_of_waits(buckets))},
             {"waits-minutes",
              tag("div", {{"id", "waits-minutes"}}, table_of_waits(buckets, now.at))}}};
}

Section leases(const std::vector<Pool>& pools) {
    std::vector<const json*> leased;
    for (const Pool& pool : pools)
        for (const json* each : pool.databases)
            if (text_of(*each, "state") == "leased") leased.push_back(each);
    std::ranges::stable_sort(leased, {},
                             [](const json* each) { return text_of(*each, "leased_at"); });
    Section section{"leases", {}};
    for (const json* each : leased) {
        std::string name = text_of(*each, "database");
        std::string id = id_of("lease", name);
        section.blocks.push_back(
            {id, tag("tr", {{"id", id}}, tag("th", {{"scope", "row"}}, database_link(name)),
                     cell("template", title_of(text_of(*each, "template"), text_of(*each, "hash"))),
                     cell("held by", holder_of(*each)),
                     cell("since", time_tag(text_of(*each, "leased_at"))),
                     cell("inside", counted(number_of(*each, "sessions"), "session")))});
    }
    if (section.blocks.empty())
        section.blocks.push_back(empty_row("leases-none", "5", "Nobody holds a database."));
    return section;
}

Html progress_of(const json& job) {
    if (!has(job, "bytes_total")) {
        if (!has(job, "bytes_done")) return "—";
        return bytes_text(number_of(job, "bytes_done"));
    }
    return tag("progress",
               {{"max", text_of(job, "bytes_total")},
                {"value", text_of(job, "bytes_done")},
                {"aria-label", "progress"}},
               bytes_text(number_of(job, "bytes_done")) + " of " +
                   bytes_text(number_of(job, "bytes_total")));
}

Section workers(const Snapshot& now) {
    Section section{"workers", {}};
    const json& jobs = rows_of(now, "progress");
    for (const json& job : jobs) {
        std::string id = "worker-" + text_of(job, "pid");
        section.blocks.push_back(
            {id, tag("tr", {{"id", id}}, tag("th", {{"scope", "row"}}, text_of(job, "task")),
                     cell("database", text_of(job, "database")),
                     cell("phase", text_of(job, "phase")), cell("done", progress_of(job)),
                     cell("since", time_tag(text_of(job, "started_at"))))});
    }
    int idle = static_cast<int>(number_of(now.all, "workers")) - static_cast<int>(jobs.size());
    if (idle > 0)
        section.blocks.push_back(
            {"workers-idle", tag("tr", {{"id", "workers-idle"}, {"class", "none"}},
                                 tag("td", {{"colspan", "5"}}, counted(idle, "worker"),
                                     idle == 1 ? " has nothing to do." : " have nothing to do."))});
    return section;
}

}  // namespace

const json& rows_of(const Snapshot& now, const char* what) {
    static const json none = json::array();
    auto found = now.all.find(what);
    return found == now.all.end() ? none : *found;
}

Html cell(const char* label, const Html& content) {
    return tag("td", {{"data-label", label}}, content);
}

Html figure_cell(const char* label, const Html& content) {
    return tag("td", {{"data-label", label}, {"class", "n"}}, content);
}

Html database_link(const std::string& database) {
    return tag("a", {{"href", link_to("database", database)}}, database);
}

Html psql_line(const Setting& setting, const std::string& database) {
    std::string line = "psql -h " + shell_word(setting.host) + " -p " + shell_word(setting.port) +
                       " -U " + shell_word(setting.user) + " -d " + shell_word(database);
    return tag("p", {{"class", "psql"}}, tag("code", {}, line),
               tag("button", {{"type", "button"}, {"class", "copy"}, {"hidden", ""}}, "Copy"));
}

/// In two steps, with a script and without: what a test left is gone for good.
Html release_form(const Setting& setting, const std::string& database) {
    if (!setting.may_release) return {};
    std::string action = "/databases/" + link_to("", database).substr(strlen("/?="));
    return tag("details", {{"class", "release"}, {"id", id_of("release", database)}},
               tag("summary", {{"class", "button"}}, "Release …"),
               tag("form", {{"method", "post"}, {"action", action + "/release"}},
                   tag("button", {{"class", "danger"}}, "Release it: what the test left is lost")));
}

Html holder_of(const json& database) {
    Html who = text_of(database, "role");
    std::string application = text_of(database, "application_name");
    if (!application.empty()) who += " · " + application;
    if (has(database, "pid")) who += " · process " + text_of(database, "pid");
    if (has(database, "client")) who += " · " + text_of(database, "client");
    return who;
}

std::vector<Section> sections_of(const Scene& scene) {
    std::vector<Pool> pools = pools_of(scene.now);
    return {alert(scene.now),    summary(scene.now, pools),
            inspector_of(scene), kept(scene, pools),
            templates(pools),    waits(scene.now),
            advice(scene.now),   leases(pools),
            workers(scene.now),  gone(scene.now)};
}

}  // namespace gateway::page
