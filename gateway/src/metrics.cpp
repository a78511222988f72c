#include "metrics.h"

#include <array>
#include <cmath>

#include "exposition.h"
#include "http.h"

namespace gateway {

namespace {

using Kind = Exposition::Kind;

constexpr const char* openmetrics_type =
    "application/openmetrics-text; version=1.0.0; charset=utf-8";
constexpr milliseconds timeout{10'000};

/// A family with a sample for each row: all columns but the last are labels.
struct Family {
    const char* name;
    Kind kind;
    const char* unit;
    const char* help;
    std::vector<const char*> labels;
    const char* sql;
};

// Templates of one hash that were discarded count together with the one that lives.
#define OF_TEMPLATE "left(coalesce(hash, ''), 64), coalesce(template, '')"
#define STATS(figure) "SELECT " OF_TEMPLATE ", sum(" figure ") FROM testpool.stats GROUP BY 1, 2"

const std::vector<const char*> of = {"hash", "template"};

const std::vector<Family> families = {
    {"testpool_acquires", Kind::counter, "", "Clones handed out.", of, STATS("acquires")},
    {"testpool_waits", Kind::counter, "", "Requests that could not be served at once.", of,
     STATS("waits")},
    {"testpool_misses", Kind::counter, "", "Requests that found no clone ready.", of,
     STATS("misses")},
    {"testpool_timeouts", Kind::counter, "", "Requests that waited in vain.", of,
     STATS("timeouts")},
    {"testpool_clones", Kind::counter, "", "Clones made.", of, STATS("clones")},
    {"testpool_clone_seconds", Kind::counter, "seconds", "Time that clones took.", of,
     STATS("clone_ms / 1000")},
    {"testpool_rewinds", Kind::counter, "", "Used clones that were rewound.", of,
     STATS("rewinds + clean_returns")},
    {"testpool_rewind_seconds", Kind::counter, "seconds", "Time that rewinds took.", of,
     STATS("rewind_ms / 1000")},
    {"testpool_refusals",
     Kind::counter,
     "",
     "Used clones that could not be rewound; the reason is that of the last one.",
     {"hash", "template", "reason"},
     "SELECT " OF_TEMPLATE ", coalesce(max(last_refusal), ''), sum(refusals)"
     " FROM testpool.stats GROUP BY 1, 2"},
    {"testpool_drops", Kind::counter, "", "Databases dropped.", of, STATS("drops")},
    {"testpool_abandoned", Kind::counter, "", "Leases whose session was gone.", of,
     STATS("abandoned")},
    {"testpool_failures", Kind::counter, "", "Builds, seals, clones and drops that failed.", of,
     STATS("failures")},
    {"testpool_drop_debt", Kind::gauge, "", "Databases that wait to be dropped.", of,
     STATS("drop_debt")},
    {"testpool_drop_debt_bytes", Kind::gauge, "bytes", "Their size.", of, STATS("drop_debt_bytes")},
    {"testpool_size_bytes", Kind::gauge, "bytes", "Size of a template and its clones.", of,
     STATS("coalesce(bytes, 0)")},
    {"testpool_databases",
     Kind::gauge,
     "",
     "Clones by state.",
     {"hash", "template", "state"},
     "SELECT " OF_TEMPLATE ", state, count(*) FROM testpool.databases GROUP BY 1, 2, 3"},
    {"testpool_leases",
     Kind::gauge,
     "",
     "Leased and kept databases by role.",
     {"role"},
     "SELECT role, count(*) FROM testpool.databases WHERE role IS NOT NULL GROUP BY 1"},
    {"testpool_templates",
     Kind::gauge,
     "",
     "Templates by state.",
     {"state"},
     "SELECT state, count(*) FROM testpool.templates GROUP BY 1"},
    {"testpool_jobs",
     Kind::gauge,
     "",
     "What the workers are at.",
     {"task", "phase"},
     "SELECT task, phase, count(*) FROM testpool.progress GROUP BY 1, 2"},
    {"testpool_free_bytes",
     Kind::gauge,
     "bytes",
     "Free space of the server's disk.",
     {},
     "SELECT testpool.free_space()"},
    {"testpool_settings",
     Kind::gauge,
     "",
     "Settings that alerts compare with.",
     {"name"},
     "SELECT name, pg_size_bytes(setting || coalesce(unit, '')) FROM pg_settings"
     " WHERE name IN ('testpool.min_free_space', 'testpool.max_size', 'testpool.max_drop_debt')"
     " UNION ALL SELECT name, setting::bigint FROM pg_settings"
     " WHERE name IN ('testpool.pool_size', 'testpool.pool_max', 'testpool.max_databases')"},
};

constexpr const char* waits_sql = "SELECT " OF_TEMPLATE
                                  ", up_to_ms / 1000, sum(acquires) FROM testpool.waits"
                                  " GROUP BY 1, 2, 3 ORDER BY 1, 2, 3";
constexpr const char* waited_sql = STATS("waited_ms / 1000");

#undef STATS
#undef OF_TEMPLATE

// Doublings from a quarter of a millisecond to two minutes.
constexpr int first_doubling = 8;
constexpr int last_doubling = 27;

std::string text_of(double number) {
    std::array<char, 32> text{};
    snprintf(text.data(), text.size(), "%.9g", number);
    return text.data();
}

void put(Exposition& into, const Family& family, const Rows& rows) {
    into.family(family.name, family.kind, family.unit, family.help);
    int value = static_cast<int>(family.labels.size());
    for (int row = 0; row < rows.count(); row++) {
        Labels labels;
        for (int i = 0; i < value; i++) labels.emplace_back(family.labels[i], rows.text(row, i));
        into.sample(labels, rows.text(row, value));
    }
}

using ByTemplate = std::map<std::pair<std::string, std::string>, std::map<double, long>>;

/// One template's histogram; `steps` says how many waited up to so many seconds.
void put_histogram(Exposition& into, const Labels& labels, const std::map<double, long>& steps,
                   const std::string& sum) {
    long seen = 0;
    auto step = steps.begin();
    for (int doubling = first_doubling; doubling <= last_doubling; doubling++) {
        double bound = std::exp2(doubling) / 1e6;
        for (; step != steps.end() && step->first <= bound; ++step) seen += step->second;
        Labels with_bound = labels;
        with_bound.emplace_back("le", text_of(bound));
        into.sample("_bucket", with_bound, std::to_string(seen));
    }
    for (; step != steps.end(); ++step) seen += step->second;
    Labels with_bound = labels;
    with_bound.emplace_back("le", "+Inf");
    into.sample("_bucket", with_bound, std::to_string(seen));
    into.sample("_count", labels, std::to_string(seen));
    into.sample("_sum", labels, sum);
}

void put_waits(Exposition& into, const Rows& waits, const Rows& waited) {
    ByTemplate all;
    for (int row = 0; row < waits.count(); row++)
        all[{waits.text(row, 0), waits.text(row, 1)}][std::stod(waits.text(row, 2))] +=
            std::stol(waits.text(row, 3));
    into.family("testpool_wait_seconds", Kind::histogram, "seconds",
                "How long those waited who got a clone.");
    for (int row = 0; row < waited.count(); row++) {
        Labels labels{{"hash", waited.text(row, 0)}, {"template", waited.text(row, 1)}};
        put_histogram(into, labels, all[{waited.text(row, 0), waited.text(row, 1)}],
                      waited.text(row, 2));
    }
}

void put_testpool(Exposition& into, Pool& pool) {
    Patience patience{Clock::now() + timeout, nullptr};
    pool.with(Use::brief, patience, [&](Connection& connection) {
        for (const Family& family : families)
            put(into, family, connection.query(family.sql, {}, patience));
        put_waits(into, connection.query(waits_sql, {}, patience),
                  connection.query(waited_sql, {}, patience));
    });
}

}  // namespace

void Metrics::count(const Answered& answered) {
    std::lock_guard lock(mutex_);
    Requests& requests = requests_[{answered.route, answered.method, answered.status}];
    requests.count++;
    requests.seconds += answered.seconds;
}

std::string Metrics::render() {
    Exposition all;
    put_testpool(all, pool_);
    std::lock_guard lock(mutex_);
    auto labels = [](const Key& key) {
        return Labels{{"route", std::get<0>(key)},
                      {"method", std::get<1>(key)},
                      {"status", std::to_string(std::get<2>(key))}};
    };
    all.family("testpool_gateway_requests", Kind::counter, "", "Requests answered.");
    for (const auto& [key, requests] : requests_)
        all.sample(labels(key), std::to_string(requests.count));
    all.family("testpool_gateway_request_seconds", Kind::counter, "seconds",
               "Time that they took, waiting included.");
    for (const auto& [key, requests] : requests_)
        all.sample(labels(key), text_of(requests.seconds));
    all.family("testpool_gateway_connections", Kind::gauge, "", "Connections to PostgreSQL.");
    all.sample({{"state", "in use"}}, std::to_string(pool_.in_use()));
    all.sample({{"state", "open"}}, std::to_string(pool_.open()));
    return all.text();
}

void Metrics::define(Router& router) {
    router.on_answer([this](const Answered& answered) { count(answered); });
    router.add("GET", "/metrics",
               [this](Call& call) { call.response.set_content(render(), openmetrics_type); });
}

}  // namespace gateway
