#include "http.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <charconv>
#include <iostream>

#include "error.h"

namespace gateway::http {

namespace {

std::string dumped(const json& body) {
    return body.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
}

/// The other end of that socket, as cpp-httplib writes it; the port is 0 if it is none.
std::pair<std::string, int> peer_of(int socket) {
    sockaddr_storage address{};
    socklen_t length = sizeof(address);
    if (getpeername(socket, reinterpret_cast<sockaddr*>(&address), &length) != 0) return {"", 0};
    std::array<char, INET6_ADDRSTRLEN> text{};
    if (address.ss_family == AF_INET) {
        const auto* v4 = reinterpret_cast<const sockaddr_in*>(&address);
        inet_ntop(AF_INET, &v4->sin_addr, text.data(), text.size());
        return {text.data(), ntohs(v4->sin_port)};
    }
    if (address.ss_family == AF_INET6) {
        const auto* v6 = reinterpret_cast<const sockaddr_in6*>(&address);
        inet_ntop(AF_INET6, &v6->sin6_addr, text.data(), text.size());
        return {text.data(), ntohs(v6->sin6_port)};
    }
    return {"", 0};
}

int hex_digit(char letter) {
    if (letter >= '0' && letter <= '9') return letter - '0';
    if (letter >= 'a' && letter <= 'f') return letter - 'a' + 10;
    if (letter >= 'A' && letter <= 'F') return letter - 'A' + 10;
    return -1;
}

int base64_digit(char letter) {
    if (letter >= 'A' && letter <= 'Z') return letter - 'A';
    if (letter >= 'a' && letter <= 'z') return letter - 'a' + 26;
    if (letter >= '0' && letter <= '9') return letter - '0' + 52;
    if (letter == '+') return 62;
    return letter == '/' ? 63 : -1;
}

std::string base64_decoded(std::string_view text) {
    std::string result;
    unsigned bits = 0;
    int count = 0;
    for (char letter : text) {
        int digit = base64_digit(letter);
        if (digit < 0) break;
        bits = (bits << 6 | static_cast<unsigned>(digit)) & 0xFFFFFFU;
        count += 6;
        if (count < 8) continue;
        count -= 8;
        result += static_cast<char>(bits >> count & 0xFFU);
    }
    return result;
}

std::string decoded(const std::string& part) {
    std::string text;
    for (size_t i = 0; i < part.size(); i++) {
        int high = part[i] == '%' && i + 2 < part.size() ? hex_digit(part[i + 1]) : -1;
        int low = high >= 0 ? hex_digit(part[i + 2]) : -1;
        if (low < 0) {
            text += part[i];
            continue;
        }
        text += static_cast<char>(high * 16 + low);
        i += 2;
    }
    return text;
}

}  // namespace

void answer(httplib::Response& response, const json& body) {
    response.set_content(dumped(body), json_type);
}

void answer_error(httplib::Response& response, int status, const std::string& message) {
    response.status = status;
    answer(response, json{{"message", message}});
}

void guarded(httplib::Response& response, const std::function<void()>& work) {
    try {
        work();
    } catch (const Refusal& refusal) {
        answer_error(response, refusal.status, refusal.what());
    } catch (const Cancelled& cancelled) {
        answer_error(response, 503, cancelled.what());
    } catch (const SqlError& error) {
        bool lost = error.sqlstate.empty();
        std::cerr << "testpool-gateway: " << error.sqlstate << " " << error.what() << std::endl;
        answer_error(response, lost ? 503 : 500, error.what());
    } catch (const std::exception& error) {
        std::cerr << "testpool-gateway: " << error.what() << std::endl;
        answer_error(response, 500, "Internal Server Error");
    }
}

// cpp-httplib does not tell a handler its socket, only who is at the other end.
int socket_of(const httplib::Request& request) {
    std::unique_ptr<DIR, int (*)(DIR*)> folder(opendir("/proc/self/fd"), closedir);
    if (!folder) return -1;
    while (const dirent* entry = readdir(folder.get())) {
        int socket = -1;
        std::from_chars(entry->d_name, entry->d_name + strlen(entry->d_name), socket);
        if (socket < 0) continue;
        auto [address, port] = peer_of(socket);
        if (port == request.remote_port && address == request.remote_addr) return socket;
    }
    return -1;
}

std::vector<std::string> parts_of(const std::string& target) {
    std::string path = target.substr(0, target.find_first_of("?#"));
    if (path.size() > 1 && path.back() == '/') path.pop_back();
    std::vector<std::string> parts;
    for (size_t at = 0; at < path.size();) {
        size_t end = std::min(path.find('/', at + 1), path.size());
        parts.push_back(decoded(path.substr(at + 1, end - at - 1)));
        at = end;
    }
    return parts;
}

std::string basic_password(const std::string& authorization) {
    constexpr std::string_view scheme = "Basic ";
    if (!authorization.starts_with(scheme)) return "";
    std::string given = base64_decoded(std::string_view(authorization).substr(scheme.size()));
    size_t colon = given.find(':');
    return colon == std::string::npos ? "" : given.substr(colon + 1);
}

bool is_cross_site(const httplib::Request& request) {
    std::string site = request.get_header_value("Sec-Fetch-Site");
    return site == "cross-site" || site == "same-site";
}

bool equal_secret(const std::string& given, const std::string& wanted) {
    unsigned difference = given.size() ^ wanted.size();
    for (size_t i = 0; i < given.size(); i++)
        difference |= static_cast<unsigned char>(given[i]) ^
                      static_cast<unsigned char>(wanted[i % std::max<size_t>(wanted.size(), 1)]);
    return difference == 0;
}

}  // namespace gateway::http
