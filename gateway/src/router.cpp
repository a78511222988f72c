#include "router.h"

#include <chrono>
#include <random>

#include "error.h"
#include "http.h"

namespace gateway {

namespace {

constexpr size_t longest_body = 1 << 20;
constexpr const char* any_path = R"([\s\S]*)";

/// The named parts, if the path is of that pattern.
std::optional<std::vector<std::string>> match(const std::vector<std::string>& pattern,
                                              const std::vector<std::string>& path) {
    if (pattern.size() != path.size()) return std::nullopt;
    std::vector<std::string> named;
    for (size_t i = 0; i < path.size(); i++) {
        if (pattern[i].starts_with(":"))
            named.push_back(path[i]);
        else if (pattern[i] != path[i])
            return std::nullopt;
    }
    return named;
}

std::string request_id() {
    thread_local std::mt19937_64 random{std::random_device{}()};
    std::array<char, 17> text{};
    snprintf(text.data(), text.size(), "%016llx", static_cast<unsigned long long>(random()));
    return text.data();
}

/// cpp-httplib would wait for the end of the connection where no length is given.
bool has_body(const httplib::Request& request) {
    return request.has_header("Transfer-Encoding") ||
           request.get_header_value<uint64_t>("Content-Length") > 0;
}

/// For what cpp-httplib itself refuses.
const char* reason_of(int status) {
    switch (status) {
        case 400:
            return "Bad Request";
        case 404:
            return "Not Found";
        case 413:
            return "Payload Too Large";
        case 414:
            return "URI Too Long";
        case 417:
            return "Expectation Failed";
        default:
            return "Internal Server Error";
    }
}

void say_status(const httplib::Request& /*request*/, httplib::Response& response) {
    if (!response.body.empty() || response.status < 400) return;
    http::answer_error(response, response.status, reason_of(response.status));
}

}  // namespace

void Router::add(const std::string& method, const std::string& pattern, Handler handler,
                 bool open) {
    routes_.push_back({method, pattern, http::parts_of(pattern), std::move(handler), open});
}

bool Router::may_call(const Route& route, const httplib::Request& request) const {
    if (token_.empty() || route.open) return true;
    std::string given = request.get_header_value("Authorization");
    return http::equal_secret(given, "Bearer " + token_) ||
           http::equal_secret(http::basic_password(given), token_);
}

/// Returns the pattern that the path is of.
std::string Router::dispatch(const httplib::Request& request, httplib::Response& response,
                             const std::string& body) const {
    std::vector<std::string> path = http::parts_of(request.target);
    std::string method = request.method == "HEAD" ? "GET" : request.method;
    std::string pattern;
    std::string allowed;
    for (const Route& route : routes_) {
        auto named = match(route.parts, path);
        if (!named) continue;
        pattern = route.pattern;
        if (route.method != method) {
            allowed += (allowed.empty() ? "" : ", ") + route.method;
            continue;
        }
        if (!may_call(route, request)) {
            // Browsers know the first of these.
            response.set_header("WWW-Authenticate", "Basic realm=\"testpool\"");
            response.set_header("WWW-Authenticate", "Bearer");
            http::answer_error(response, 401, "Unauthorized");
            return pattern;
        }
        // A browser that knows the token, or needs none, is nobody else's tool.
        if (method != "GET" && http::is_cross_site(request))
            throw Refusal(403, "a page of another site may change nothing here");
        Call call{request, response, body, std::move(*named)};
        route.handler(call);
        return pattern;
    }
    if (allowed.empty()) throw Refusal(404, "Not Found");
    response.set_header("Allow", allowed);
    http::answer_error(response, 405, "Method Not Allowed");
    return pattern;
}

void Router::answer(const httplib::Request& request, httplib::Response& response,
                    const std::string& body) const {
    auto began = std::chrono::steady_clock::now();
    std::string id = request.get_header_value("X-Request-Id");
    response.set_header("X-Request-Id", id.empty() ? request_id() : id);
    std::string route = "none";
    http::guarded(response, [&] {
        response.status = 200;
        route = dispatch(request, response, body);
    });
    std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
    if (watch_) watch_({route, request.method, response.status, took.count()});
}

void Router::serve(httplib::Server& server) {
    auto plain = [this](const httplib::Request& request, httplib::Response& response) {
        // cpp-httplib leaves the body of such a request where the next one would begin.
        if (has_body(request)) response.set_header("Connection", "close");
        answer(request, response, "");
    };
    auto with_body = [this](const httplib::Request& request, httplib::Response& response,
                            const httplib::ContentReader& content) {
        std::string body;
        bool read = !has_body(request) || content([&](const char* data, size_t length) {
            if (body.size() + length > longest_body) return false;
            body.append(data, length);
            return true;
        });
        if (read)
            answer(request, response, body);
        else if (response.status < 400)
            http::answer_error(response, 400, "the body could not be read");
    };
    server.Get(any_path, plain);
    server.Options(any_path, plain);
    server.Post(any_path, with_body);
    server.Put(any_path, with_body);
    server.Patch(any_path, with_body);
    server.Delete(any_path, with_body);
    server.set_payload_max_length(longest_body);
    server.set_error_handler(say_status);
    server.set_exception_handler(
        [](const httplib::Request&, httplib::Response& response, const std::exception_ptr&) {
            http::answer_error(response, 500, "Internal Server Error");
        });
}

}  // namespace gateway
