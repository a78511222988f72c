// What the gateway's answers have in common: JSON, errors as {"message": …}, and where a client is.
#pragma once

#include <httplib.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace gateway::http {

using nlohmann::json;

constexpr const char* json_type = "application/json; charset=UTF-8";

void answer(httplib::Response& response, const json& body);
void answer_error(httplib::Response& response, int status, const std::string& message);

/// Runs what answers a request. Whatever it throws becomes an answer: no exception gets further.
void guarded(httplib::Response& response, const std::function<void()>& work);

/// The socket of the client that sent the request; -1 if it is gone.
int socket_of(const httplib::Request& request);

/// The path's parts between slashes, decoded; one slash at its end counts for nothing.
std::vector<std::string> parts_of(const std::string& target);

/// The password of `Authorization: Basic …`, with which browsers answer when they are asked who it
/// is.
std::string basic_password(const std::string& authorization);

/// Whether it was somebody else's page that had a browser send this.
bool is_cross_site(const httplib::Request& request);

/// Compares in a time that does not tell how much of it is equal.
bool equal_secret(const std::string& given, const std::string& wanted);

}  // namespace gateway::http
