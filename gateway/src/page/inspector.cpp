// One database, or one template, looked at closely.

#include <algorithm>
#include <functional>

#include "format.h"
#include "plot.h"
#include "sections.h"

namespace gateway::page {

namespace {

/// A list of what is known.
class Facts {
  public:
    void put(const char* name, const Html& value) {
        if (!value.empty()) all_ += tag("div", {}, tag("dt", {}, name), tag("dd", {}, value));
    }
    Html html() const { return tag("dl", {{"class", "facts"}}, all_); }

  private:
    Html all_;
};

Html time_or_nothing(const json& row, const char* field) {
    return has(row, field) ? time_tag(text_of(row, field)) : Html();
}

Html headed(const std::string& what, const std::string& title) {
    return tag("header", {},
               tag("h2", {{"id", "inspector-title"}, {"tabindex", "-1"}}, tag("small", {}, what),
                   " ", title),
               tag("a", {{"class", "button close"}, {"href", "/"}}, "Close"));
}

Section of(const Html& content) {
    return {"inspector",
            {{"inspected", tag("div", {{"id", "inspected"}, {"class", "panel"}}, content)}}};
}

// --- a database ----------------------------------------------------------------------------------

const json* database_named(const Snapshot& now, const std::string& name) {
    for (const json& each : rows_of(now, "databases"))
        if (text_of(each, "database") == name) return &each;
    return nullptr;
}

std::string plus(const json& row, const char* field) {
    double count = number_of(row, field);
    return (count > 0 ? "+" : "") + count_text(count);
}

Html changes_of(const json& row) {
    std::string text;
    for (const auto& [field, verb] :
         {std::pair{"inserted", " inserted"}, std::pair{"updated", " updated"},
          std::pair{"deleted", " deleted"}})
        if (number_of(row, field) != 0)
            text += (text.empty() ? "" : ", ") + count_text(number_of(row, field)) + verb;
    return text;
}

Html difference_row(const json& row) {
    std::string change = text_of(row, "change");
    std::string schema = text_of(row, "schema");
    std::string bytes =
        has(row, "bytes") && number_of(row, "bytes") != 0
            ? (number_of(row, "bytes") > 0 ? "+" : "") + bytes_text(number_of(row, "bytes"))
            : "";
    return tag(
        "tr", {}, tag("td", {{"class", "change " + change}}, change),
        cell("kind", text_of(row, "kind")),
        tag("th", {{"scope", "row"}}, (schema.empty() ? "" : schema + ".") + text_of(row, "name")),
        cell("what", text_of(row, "detail")),
        figure_cell("rows", has(row, "rows") ? Html(plus(row, "rows")) : Html()),
        cell("statements", changes_of(row)), figure_cell("size", bytes));
}

Html difference_of(const Difference& difference) {
    Html title = tag("h3", {}, "What the test did");
    if (!difference.error.empty())
        return tag("section", {{"class", "difference"}}, title,
                   tag("p", {{"class", "none"}}, difference.error));
    if (difference.rows.empty())
        return tag("section", {{"class", "difference"}}, title,
                   tag("p", {}, "Nothing: it equals its template."));
    Html head = tag("tr", {}, tag("td", {}), tag("th", {{"scope", "col"}}, "Kind"),
                    tag("th", {{"scope", "col"}}, "Name"), tag("th", {{"scope", "col"}}, "What"),
                    tag("th", {{"scope", "col"}, {"class", "n"}}, "Rows"),
                    tag("th", {{"scope", "col"}}, "Statements"),
                    tag("th", {{"scope", "col"}, {"class", "n"}}, "Size"));
    Html rows;
    for (const json& row : difference.rows) rows += difference_row(row);
    return tag(
        "section", {{"class", "difference"}}, title,
        tag("div", {{"class", "scroll"}},
            tag("table", {{"class", "stacking"}}, tag("thead", {}, head), tag("tbody", {}, rows))),
        tag("p", {{"class", "aside"}}, "Compared with its template at ", difference.at, "."));
}

Html last_clean(const json& row) {
    std::string how = text_of(row, "recycled");
    if (how.empty()) return "new";
    std::string text = how == "rewind" ? "rewound" : "cloned again";
    text += " in " + duration_text(number_of(row, "recycle_ms"));
    if (how == "rewind")
        text += ", " + counted(number_of(row, "relations"), "relation") + ", " +
                counted(number_of(row, "pages"), "page");
    return text;
}

Html facts_of_database(const json& row) {
    Facts facts;
    std::string state = text_of(row, "state");
    facts.put("state", tag("span", {{"class", "state " + state}}, state));
    facts.put("template", tag("a", {{"href", link_to("template", text_of(row, "hash"))}},
                              title_of(text_of(row, "template"), text_of(row, "hash"))));
    if (has(row, "role")) facts.put("held by", holder_of(row));
    facts.put("leased", time_or_nothing(row, "leased_at"));
    facts.put("reason", text_of(row, "reason"));
    facts.put("known as", text_of(row, "known_as"));
    facts.put("inside", counted(number_of(row, "sessions"), "session"));
    facts.put("created", time_or_nothing(row, "created_at"));
    facts.put("clean since", time_or_nothing(row, "ready_at"));
    facts.put("made clean", counted(number_of(row, "generation"), "time"));
    facts.put("the last time", last_clean(row));
    facts.put("why it was cloned", text_of(row, "clone_reason"));
    facts.put("sessions ended", text_of(row, "sessions_ended"));
    facts.put("error", text_of(row, "error"));
    return facts.html();
}

Section database(const Scene& scene, const std::string& name) {
    const json* row = database_named(scene.now, name);
    Html title = headed("database", name);
    if (row == nullptr)
        return of(title += tag("p", {{"class", "none"}}, "There is no such database any more."));
    std::string state = text_of(*row, "state");
    Html content = title += facts_of_database(*row);
    if (state == "leased" || state == "kept") {
        content += psql_line(scene.setting, name);
        content += difference_of(scene.difference);
        content += tag(
            "div", {{"class", "actions"}},
            tag("a", {{"class", "button"}, {"href", link_to("database", name)}}, "Compare again"));
    }
    return of(content);
}

// --- a template ----------------------------------------------------------------------------------

Html facts_of_template(const json& row) {
    Facts facts;
    facts.put("hash", tag("code", {}, text_of(row, "hash")));
    facts.put("state", text_of(row, "state"));
    facts.put("owner", text_of(row, "owner"));
    facts.put("built by", text_of(row, "builder_application_name"));
    facts.put("from", text_of(row, "base"));
    facts.put("size", has(row, "bytes") ? Html(bytes_text(number_of(row, "bytes")) + ", " +
                                               counted(number_of(row, "files"), "file"))
                                        : Html());
    facts.put("copied", text_of(row, "clone_strategy"));
    facts.put("because of", text_of(row, "strategy_reason"));
    return facts.html();
}

Html facts_of_stats(const json& row) {
    Facts facts;
    facts.put("handed out", count_text(number_of(row, "acquires")));
    facts.put("had to wait", count_text(number_of(row, "waits")));
    facts.put("in vain", count_text(number_of(row, "timeouts")));
    facts.put("half waited", has(row, "wait_p50_ms")
                                 ? Html(duration_text(number_of(row, "wait_p50_ms")))
                                 : Html());
    facts.put("99 % waited", has(row, "wait_p99_ms")
                                 ? Html(duration_text(number_of(row, "wait_p99_ms")))
                                 : Html());
    facts.put("most at once", count_text(number_of(row, "most_leased")));
    facts.put("rewound", count_text(number_of(row, "rewinds") + number_of(row, "clean_returns")));
    facts.put("cloned", count_text(number_of(row, "clones")));
    facts.put("not rewound", count_text(number_of(row, "refusals")));
    facts.put("because", text_of(row, "last_refusal"));
    facts.put("failed", count_text(number_of(row, "failures")));
    facts.put("last error", text_of(row, "last_error"));
    return facts.html();
}

/// The builds under this hash and under its name, the youngest event first.
Html builds_of(const Snapshot& now, const std::string& hash, const std::string& name) {
    std::vector<std::pair<std::string, std::string>> events;
    auto note = [&](const json& row, const char* at, const std::string& what) {
        if (has(row, at)) events.emplace_back(text_of(row, at), what);
    };
    for (const json& row : rows_of(now, "templates")) {
        bool same = text_of(row, "hash") == hash;
        if (!same && (name.empty() || text_of(row, "name") != name)) continue;
        std::string discarded = "discarded";
        if (has(row, "reason")) discarded += ", " + text_of(row, "reason");
        std::string which = same ? "" : ": " + title_of("", text_of(row, "hash"));
        note(row, "discarded_at", discarded + which);
        note(row, "finalized_at", "finalized" + which);
        note(row, "claimed_at", "build claimed by " + text_of(row, "owner") + which);
    }
    std::ranges::stable_sort(events, std::greater{}, [](const auto& each) { return each.first; });
    Html items;
    for (const auto& [at, what] : events) items += tag("li", {}, time_tag(at), " ", what);
    return items.empty() ? Html() : tag("ol", {{"class", "events"}}, items);
}

Section template_of(const Scene& scene, const std::string& hash) {
    const json* row = nullptr;
    const json* stats = nullptr;
    for (const json& each : rows_of(scene.now, "templates"))
        if (text_of(each, "hash") == hash &&
            (row == nullptr || text_of(*row, "state") == "discarded"))
            row = &each;
    for (const json& each : rows_of(scene.now, "stats"))
        if (text_of(each, "hash") == hash) stats = &each;
    std::string name = row == nullptr ? "" : text_of(*row, "name");
    Html content = headed("template", title_of(name, hash));
    if (row == nullptr && stats == nullptr)
        return of(content += tag("p", {{"class", "none"}}, "There is no such template any more."));
    if (row != nullptr) content += facts_of_template(*row);
    History::Buckets buckets = scene.now.history->last(scene.now.at, hash);
    content += tag("h3", {}, "Its databases, last ten minutes");
    content += plot_of_pool(buckets);
    content += tag("h3", {}, "Its waits, last ten minutes");
    content += plot_of_waits(buckets);
    if (stats != nullptr) {
        content += tag("h3", {}, "Since ",
                       has(*stats, "since") ? time_tag(text_of(*stats, "since"))
                                            : Html("the server's start"));
        content += facts_of_stats(*stats);
    }
    content += tag("h3", {}, "History");
    content += builds_of(scene.now, hash, name);
    return of(content);
}

}  // namespace

Section inspector_of(const Scene& scene) {
    if (scene.look.database) return database(scene, *scene.look.database);
    if (scene.look.hash) return template_of(scene, *scene.look.hash);
    return {"inspector", {}};
}

}  // namespace gateway::page
