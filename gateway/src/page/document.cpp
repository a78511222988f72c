#include "document.h"

#include "format.h"

namespace gateway::page {

namespace {

struct Column {
    const char* title;
    bool is_figure = false;
};

Html blocks_of(const std::vector<Section>& sections, std::string_view id) {
    Html all;
    for (const Section& section : sections)
        if (section.id == id)
            for (const Block& block : section.blocks) all += block.html;
    return all;
}

Html headings(const std::vector<Column>& columns) {
    Html row;
    for (const Column& column : columns)
        row += tag("th", {{"scope", "col"}, {"class", column.is_figure ? "n" : "t"}}, column.title);
    return tag("thead", {}, tag("tr", {}, row));
}

/// A table whose rows, or bodies of rows, come and go.
Html table(const char* id, const std::vector<Column>& columns, const Html& blocks, bool bodies) {
    if (bodies) return tag("table", {{"class", "stacking"}, {"id", id}}, headings(columns), blocks);
    return tag("table", {{"class", "stacking"}}, headings(columns),
               tag("tbody", {{"id", id}}, blocks));
}

Html part(const char* id, const char* title, const Html& content) {
    std::string heading = std::string(id) + "-title";
    return tag("section", {{"aria-labelledby", heading}, {"class", std::string("part-") + id}},
               tag("h2", {{"id", heading}}, title), content);
}

Html legend() {
    Html all;
    for (const char* state : states)
        all += tag("li", {}, tag("span", {{"class", state}, {"aria-hidden", "true"}}), " ", state);
    return tag("ul", {{"class", "legend"}}, all);
}

Html head_of(const std::string& title) {
    return tag(
        "head", {}, tag("meta", {{"charset", "utf-8"}}),
        tag("meta", {{"name", "viewport"}, {"content", "width=device-width, initial-scale=1"}}),
        tag("meta", {{"name", "color-scheme"}, {"content", "light dark"}}), tag("title", {}, title),
        tag("link", {{"rel", "icon"}, {"href", "/page/icon.svg"}}),
        tag("link", {{"rel", "stylesheet"}, {"href", "/page/page.css"}}),
        tag("script", {{"src", "/page/page.js"}, {"defer", ""}}));
}

Html banner(const Scene& scene) {
    const json& all = scene.now.all;
    std::string server = scene.setting.host + ", port " + scene.setting.port;
    std::string versions = all.empty() ? ""
                                       : "PostgreSQL " + text_of(all, "postgresql") +
                                             ", testpool " + text_of(all, "testpool");
    return tag(
        "header", {{"class", "banner"}},
        tag("a", {{"class", "skip"}, {"href", "#main"}}, "To the content"),
        tag("h1", {}, tag("a", {{"href", "/"}}, "testpool")),
        tag("p", {{"class", "server"}}, server, tag("span", {}, versions)),
        tag("label", {{"class", "find"}, {"hidden", ""}}, tag("span", {}, "Find"),
            tag("input",
                {{"type", "search"}, {"id", "find"}, {"placeholder", "name, reason, role …"}})),
        tag("p", {{"id", "live"}, {"role", "status"}}, "as of ",
            tag("span", {}, text_of(all, "time"))));
}

}  // namespace

std::string document(const Scene& scene) {
    std::vector<Section> sections = sections_of(scene);
    auto blocks = [&](const char* id) { return blocks_of(sections, id); };
    auto box = [&](const char* name, const char* id) {
        return tag(name, {{"id", id}}, blocks(id));
    };
    Html main;
    main += tag("div", {{"id", "alert"}, {"role", "alert"}}, blocks("alert"));
    main += box("dl", "summary");
    main += tag("div", {{"id", "inspector"}}, blocks("inspector"));
    main += part("kept", "Kept for a look", box("div", "kept"));
    main += part("templates", "Templates and their pools",
                 tag("div", {},
                     table("templates",
                           {{"Template"},
                            {"Ready", true},
                            {"Leased", true},
                            {"Kept", true},
                            {"At work", true},
                            {"Failed", true},
                            {"95 % waited", true},
                            {"Size", true},
                            {"Last used", true}},
                           blocks("templates"), true),
                     legend()));
    main += part("waits", "Waits in the last ten minutes", box("div", "waits"));
    main += part("advice", "Advice", box("ul", "advice"));
    main += part("leases", "Who holds what",
                 table("leases", {{"Database"}, {"Template"}, {"Held by"}, {"Since"}, {"Inside"}},
                       blocks("leases"), false));
    main += part("workers", "What the workers are at",
                 table("workers", {{"Task"}, {"Database"}, {"Phase"}, {"Done"}, {"Since"}},
                       blocks("workers"), false));
    main += part("gone", "Discarded templates",
                 table("gone", {{"Template"}, {"Discarded"}, {"Reason"}}, blocks("gone"), false));
    Html body =
        tag("body", {}, banner(scene), tag("main", {{"id", "main"}}, main),
            tag("noscript", {},
                tag("p", {}, "Without scripts this page does not renew itself: load it again.")));
    return "<!DOCTYPE html>\n" +
           tag("html", {{"lang", "en"}}, head_of("testpool · " + scene.setting.host), body)
               .markup() +
           "\n";
}

json Sent::changes(const std::vector<Section>& sections) {
    json changes = json::object();
    std::map<std::string, std::string> now;
    for (const Section& section : sections) {
        json fresh = json::object();
        std::vector<std::string> order;
        for (const Block& block : section.blocks) {
            order.push_back(block.id);
            auto found = blocks_.find(block.id);
            if (found == blocks_.end() || found->second != block.html.markup())
                fresh[block.id] = block.html.markup();
            now[block.id] = block.html.markup();
        }
        auto known = orders_.find(section.id);
        if (fresh.empty() && known != orders_.end() && known->second == order) continue;
        changes[section.id] = {{"order", order}, {"blocks", std::move(fresh)}};
        orders_[section.id] = std::move(order);
    }
    blocks_ = std::move(now);
    return changes;
}

}  // namespace gateway::page
