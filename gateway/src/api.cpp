#include "api.h"

#include <charconv>

#include "error.h"
#include "http.h"

namespace gateway::api {

namespace {

using http::json;

/// PostgreSQL's text has no NUL, and neither has a template an empty hash.
const std::string& checked(const std::string& hash) {
    if (hash.find('\0') != std::string::npos) throw Refusal(400, "hash must not contain NUL");
    return hash;
}

const std::string& hash_in_path(const Call& call) {
    if (call.named[0].empty()) throw Refusal(404, "template not found");
    return checked(call.named[0]);
}

long id_in_path(const Call& call) {
    const std::string& text = call.named[1];
    long id = 0;
    auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), id);
    if (error != std::errc{} || stop != text.data() + text.size())
        throw Refusal(400, "invalid test database ID");
    return id;
}

std::string hash_of_json(const std::string& body) {
    json document = json::parse(body, nullptr, false);
    if (document.is_discarded()) throw Refusal(400, "Syntax error: the body is not valid JSON");
    if (document.is_null()) return "";
    if (!document.is_object()) throw Refusal(400, "Unmarshal type error: expected an object");
    auto found = document.find("hash");
    if (found == document.end() || found->is_null()) return "";
    if (!found->is_string())
        throw Refusal(400, "Unmarshal type error: expected a string, field=hash");
    return found->get<std::string>();
}

std::string hash_of_form(const std::string& body) {
    httplib::Params fields;
    httplib::detail::parse_query_text(body, fields);
    auto found = fields.find("hash");
    return found == fields.end() ? "" : found->second;
}

std::string hash_in_body(const Call& call) {
    std::string type = call.request.get_header_value("Content-Type");
    std::string hash;
    if (call.body.empty())
        hash = "";
    else if (type.starts_with("application/json"))
        hash = hash_of_json(call.body);
    else if (type.starts_with("application/x-www-form-urlencoded"))
        hash = hash_of_form(call.body);
    else
        throw Refusal(415, "Unsupported Media Type");
    if (hash.empty()) throw Refusal(400, "hash is required");
    return checked(hash);
}

/// A port that is a number, as it always is but for what libpq would take as well.
json port_of(const std::string& text) {
    int port = 0;
    std::from_chars(text.data(), text.data() + text.size(), port);
    return port == 0 ? 5432 : port;
}

json described(const std::string& hash, const Access& access) {
    return {{"templateHash", hash},
            {"config",
             {{"host", access.host},
              {"port", port_of(access.port)},
              {"username", access.user},
              {"password", access.password},
              {"database", access.database}}}};
}

/// Finds the caller's socket when it is needed: see Patience.
std::function<int()> client_of(const Call& call) {
    return [&request = call.request] { return http::socket_of(request); };
}

void no_content(Call& call) { call.response.status = 204; }

}  // namespace

void define(Router& router, Templates& templates) {
    router.add("POST", "/api/v1/templates", [&](Call& call) {
        std::string hash = hash_in_body(call);
        Access access = templates.initialize(hash, client_of(call));
        http::answer(call.response, {{"database", described(hash, access)}});
    });
    router.add("PUT", "/api/v1/templates/:hash", [&](Call& call) {
        templates.finalize(hash_in_path(call), client_of(call));
        no_content(call);
    });
    router.add("DELETE", "/api/v1/templates/:hash", [&](Call& call) {
        templates.discard(hash_in_path(call));
        no_content(call);
    });
    router.add("GET", "/api/v1/templates/:hash/tests", [&](Call& call) {
        const std::string& hash = hash_in_path(call);
        TestDatabase test = templates.get(hash, client_of(call));
        http::answer(call.response, {{"database", described(hash, test.access)}, {"id", test.id}});
    });
    auto give_back = [&](Call& call) {
        templates.give_back(hash_in_path(call), id_in_path(call));
        no_content(call);
    };
    router.add("POST", "/api/v1/templates/:hash/tests/:id/unlock", give_back);
    router.add("DELETE", "/api/v1/templates/:hash/tests/:id", give_back);
    router.add("POST", "/api/v1/templates/:hash/tests/:id/recreate", [&](Call& call) {
        templates.recreate(hash_in_path(call), id_in_path(call));
        no_content(call);
    });
    router.add("DELETE", "/api/v1/admin/templates", [&](Call& call) {
        templates.discard_all(client_of(call));
        no_content(call);
    });
}

}  // namespace gateway::api
