// Which path and method is answered by what. cpp-httplib's own table goes by regular expressions on
// decoded paths, in which a hash with a slash could not be told from two parts.
#pragma once

#include <httplib.h>

#include <functional>
#include <string>
#include <vector>

namespace gateway {

struct Call {
    const httplib::Request& request;
    httplib::Response& response;
    const std::string& body;
    std::vector<std::string> named;  // the parts of the path that a pattern names with a colon
};

/// How a request was answered, for whoever counts.
struct Answered {
    std::string route;  // its pattern; "none" if there is no such path
    std::string method;
    int status;
    double seconds;
};

class Router {
  public:
    using Handler = std::function<void(Call&)>;

    /// `pattern`: such as "/api/v1/templates/:hash". Open: it may be called without the token.
    void add(const std::string& method, const std::string& pattern, Handler handler,
             bool open = false);
    /// Who calls what is not open has to send it; empty: nobody.
    void require(const std::string& token) { token_ = token; }
    void on_answer(std::function<void(const Answered&)> watch) { watch_ = std::move(watch); }
    /// Has the server ask this table, and none of its own.
    void serve(httplib::Server& server);

  private:
    struct Route {
        std::string method;
        std::string pattern;
        std::vector<std::string> parts;
        Handler handler;
        bool open;
    };

    void answer(const httplib::Request& request, httplib::Response& response,
                const std::string& body) const;
    std::string dispatch(const httplib::Request& request, httplib::Response& response,
                         const std::string& body) const;
    bool may_call(const Route& route, const httplib::Request& request) const;

    std::vector<Route> routes_;
    std::string token_;
    std::function<void(const Answered&)> watch_;
};

}  // namespace gateway
