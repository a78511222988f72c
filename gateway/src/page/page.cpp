#include "page.h"

#include <atomic>
#include <memory>

#include "../error.h"
#include "../http.h"
#include "../stop.h"
#include "assets.h"
#include "document.h"
#include "format.h"

namespace gateway::page {

namespace {

constexpr int most_followers = 100;
constexpr milliseconds timeout{10'000};

// Nothing but what this program sends itself; what stands in it may not run.
constexpr const char* policy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

constexpr const char* diff_sql =
    "SELECT coalesce(json_agg(d ORDER BY kind <> 'table', schema, name), '[]')"
    " FROM testpool.diff($1) d";

constexpr const char* release_sql =
    "SELECT testpool.release(database) FROM testpool.databases"
    " WHERE database = $1 AND state = 'kept'";

void secure(httplib::Response& response) {
    response.set_header("Content-Security-Policy", policy);
    response.set_header("X-Content-Type-Options", "nosniff");
    response.set_header("X-Frame-Options", "DENY");
    response.set_header("Referrer-Policy", "no-referrer");
    response.set_header("Cache-Control", "no-store");
}

Look look_of(const httplib::Request& request) {
    auto given = [&](const char* name) {
        return request.has_param(name) ? std::optional(request.get_param_value(name))
                                       : std::nullopt;
    };
    return {given("database"), given("template")};
}

bool may_be_compared(const Snapshot& now, const std::string& database) {
    for (const json& each : rows_of(now, "databases")) {
        std::string state = text_of(each, "state");
        if (text_of(each, "database") == database) return state == "leased" || state == "kept";
    }
    return false;
}

Difference difference_of(gateway::Pool& pool, const Snapshot& now, const Look& look) {
    Difference difference;
    if (!look.database || !may_be_compared(now, *look.database)) return difference;
    difference.at = text_of(now.all, "time");
    try {
        Rows rows = pool.query(diff_sql, {*look.database}, {Clock::now() + timeout, nullptr});
        difference.rows = json::parse(rows.text(0, 0));
    } catch (const std::exception& error) {
        difference.error = error.what();
    }
    return difference;
}

Setting setting_of(gateway::Pool& pool) {
    const Options& options = pool.options();
    Setting setting{options.public_host, options.public_port, "", !options.token.empty()};
    try {
        Patience patience{Clock::now() + timeout, nullptr};
        pool.with(Use::brief, patience, [&](Connection& connection) {
            if (setting.host.empty()) setting.host = connection.host();
            if (setting.port.empty()) setting.port = connection.port();
            setting.user = connection.user();
        });
    } catch (const std::exception&) {
        if (setting.host.empty()) setting.host = options.pg_host;
        if (setting.port.empty()) setting.port = options.pg_port;
    }
    return setting;
}

// --- following -----------------------------------------------------------------------------------

std::atomic<int> followers{0};

/// A client that hears of what changes.
class Follower {
  public:
    Follower(gateway::Pool& pool, Watch& watch, Look look)
        : pool_(pool), watch_(watch), look_(std::move(look)) {
        followers++;
    }
    ~Follower() { followers--; }
    Follower(const Follower&) = delete;
    Follower& operator=(const Follower&) = delete;

    /// Sends the next event, or shows that there is none. False: there will be no more.
    bool send(httplib::DataSink& sink) {
        SnapshotPtr now = number_ == 0 ? watch_.now() : watch_.after(number_);
        if (stop::begun()) return false;
        std::string event = now ? event_of(*now) : ": still there\n\n";
        return sink.write(event.data(), event.size());
    }

  private:
    std::string event_of(const Snapshot& now) {
        if (number_ == 0) {
            difference_ = difference_of(pool_, now, look_);
            setting_ = setting_of(pool_);
        }
        number_ = now.number;
        json event = {
            {"time", text_of(now.all, "time")},
            {"at", now.at},
            {"error", now.error},
            {"sections", sent_.changes(sections_of({now, look_, difference_, setting_}))}};
        return "data: " + event.dump(-1, ' ', false, json::error_handler_t::replace) + "\n\n";
    }

    gateway::Pool& pool_;
    Watch& watch_;
    Look look_;
    Difference difference_;
    Setting setting_;
    Sent sent_;
    unsigned long number_ = 0;
};

void follow(Call& call, gateway::Pool& pool, Watch& watch) {
    if (followers >= most_followers) throw Refusal(503, "too many have the page open");
    secure(call.response);
    call.response.set_header("X-Accel-Buffering", "no");
    auto follower = std::make_shared<Follower>(pool, watch, look_of(call.request));
    call.response.set_chunked_content_provider("text/event-stream",
                                               [follower](size_t, httplib::DataSink& sink) {
                                                   try {
                                                       return follower->send(sink);
                                                   } catch (const std::exception&) {
                                                       return false;
                                                   }
                                               });
}

// --- requests ------------------------------------------------------------------------------------

void show(Call& call, gateway::Pool& pool, Watch& watch) {
    SnapshotPtr now = watch.now();
    Look look = look_of(call.request);
    Difference difference = difference_of(pool, *now, look);
    Setting setting = setting_of(pool);
    secure(call.response);
    if (!now->error.empty()) call.response.status = 503;
    std::string page = document({*now, look, difference, setting});
    call.response.set_content(page, "text/html; charset=utf-8");
}

void release(Call& call, gateway::Pool& pool) {
    if (pool.options().token.empty())
        throw Refusal(403, "the page only shows what there is: set TESTPOOL_GATEWAY_TOKEN");
    const std::string& database = call.named[0];
    if (database.find('\0') == std::string::npos)
        pool.query(release_sql, {database}, {Clock::now() + timeout, nullptr});
    // It may have been released by somebody else; either way it is on the page no more.
    call.response.set_redirect("/", 303);
}

Router::Handler asset(std::string_view content, const char* type) {
    return [content, type](Call& call) {
        secure(call.response);
        call.response.set_header("Cache-Control", "no-cache");
        call.response.set_content(content.data(), content.size(), type);
    };
}

}  // namespace

void define(Router& router, gateway::Pool& pool, Watch& watch) {
    router.add("GET", "/", [&](Call& call) { show(call, pool, watch); });
    router.add("GET", "/events", [&](Call& call) { follow(call, pool, watch); });
    router.add("POST", "/databases/:name/release", [&](Call& call) { release(call, pool); });
    router.add("GET", "/page/page.css", asset(stylesheet(), "text/css; charset=utf-8"), true);
    router.add("GET", "/page/page.js", asset(script(), "text/javascript; charset=utf-8"), true);
    router.add("GET", "/page/icon.svg", asset(icon(), "image/svg+xml"), true);
}

}  // namespace gateway::page
