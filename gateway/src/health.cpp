#include "health.h"

#include "http.h"

namespace gateway::health {

namespace {

constexpr milliseconds timeout{5'000};

}  // namespace

void define(Router& router, Pool& pool) {
    auto healthy = [](Call& call) { http::answer(call.response, {{"status", "ok"}}); };
    router.add("GET", "/healthz", healthy, true);
    auto ready = [&pool](Call& call) {
        Rows rows = pool.query("SELECT testpool.version()", {}, {Clock::now() + timeout, nullptr});
        http::answer(call.response, {{"status", "ok"}, {"testpool", rows.text(0, 0)}});
    };
    router.add("GET", "/readyz", ready, true);
}

}  // namespace gateway::health
