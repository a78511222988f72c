// testpool-gateway: IntegreSQL's REST API, metrics and a page to look at, for a server with
// testpool. It keeps nothing that it would miss after a restart.

#include <httplib.h>
#include <signal.h>
#include <sys/socket.h>

#include <iostream>
#include <thread>

#include "api.h"
#include "error.h"
#include "health.h"
#include "metrics.h"
#include "options.h"
#include "page/page.h"
#include "pool.h"
#include "router.h"
#include "server_settings.h"
#include "stop.h"
#include "threads.h"

using namespace gateway;

namespace {

constexpr size_t most_clients = 1'000;
constexpr int backlog = 1'024;
constexpr size_t requests_per_connection = 1'000'000;

void say(const std::string& line) { std::cerr << "testpool-gateway: " << line << std::endl; }

/// SIGINT and SIGTERM are for the thread that waits for them; a client that is gone is no reason to
/// end.
sigset_t block_signals() {
    signal(SIGPIPE, SIG_IGN);
    sigset_t ends;
    sigemptyset(&ends);
    sigaddset(&ends, SIGINT);
    sigaddset(&ends, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &ends, nullptr);
    return ends;
}

/// What there is to do now and then, until the gateway stops.
void housekeep(Pool& pool) {
    settings_of_server::apply(pool);
    while (!stop::wait(std::chrono::seconds(10))) pool.close_idle();
}

int listen(httplib::Server& server, const Options& options) {
    int listening = -1;
    server.set_socket_options([&](socket_t socket) {
        listening = socket;
        httplib::default_socket_options(socket);
    });
    int port = options.port;
    bool bound = port == 0 ? (port = server.bind_to_any_port(options.address)) > 0
                           : server.bind_to_port(options.address, port);
    if (!bound) {
        say("cannot listen on " + options.address + ", port " + std::to_string(options.port));
        return 1;
    }
    ::listen(listening, backlog);  // cpp-httplib's own is 5: bursts of clients would wait a second
    say("listens on " + options.address + ", port " + std::to_string(port));
    return server.listen_after_bind() ? 0 : 1;
}

int run(const Options& options) {
    for (const std::string& remark : options.remarks) say(remark);
    Pool pool(options);
    Templates templates(pool);
    Metrics metrics(pool);
    page::Watch watch(pool);
    Router router;
    api::define(router, templates);
    health::define(router, pool);
    metrics.define(router);
    page::define(router, pool, watch);
    router.require(options.token);

    httplib::Server server;
    server.new_task_queue = [] { return new Threads(most_clients); };
    server.set_tcp_nodelay(true);
    server.set_keep_alive_max_count(requests_per_connection);
    router.serve(server);

    sigset_t ends = block_signals();
    std::thread([&server, ends] {
        int signal = 0;
        sigwait(&ends, &signal);
        stop::begin();
        server.stop();
    }).detach();
    std::thread housekeeper([&pool] { housekeep(pool); });
    std::thread watcher([&watch] { watch.run(); });
    int status = listen(server, options);
    stop::begin();
    housekeeper.join();
    watcher.join();
    return status;
}

}  // namespace

int main(int count, char** /*arguments*/) {
    if (count > 1) {
        std::cerr << "usage: testpool-gateway\nIt is told what to do by its environment: see "
                     "docs/gateway.md.\n";
        return 2;
    }
    try {
        stop::prepare();
        return run(options_from(environ));
    } catch (const std::exception& error) {
        say(error.what());
        return 1;
    }
}
