#include "returned.h"

#include <algorithm>

namespace gateway {

namespace {

// Testpool makes those clean that nobody asked for; their names need not be remembered for ever.
constexpr size_t most_remembered = 1'000;

}  // namespace

std::optional<std::string> Returned::take_or_wait(const std::string& hash) {
    std::lock_guard lock(mutex_);
    OfHash& of = hashes_[hash];
    if (of.databases.empty()) {
        of.waiting++;
        return std::nullopt;
    }
    std::string first = std::move(of.databases.front());
    of.databases.pop_front();
    if (of.databases.empty() && of.waiting == 0) hashes_.erase(hash);
    return first;
}

void Returned::done_waiting(const std::string& hash) {
    std::lock_guard lock(mutex_);
    auto found = hashes_.find(hash);
    if (found == hashes_.end()) return;
    found->second.waiting--;
    if (found->second.waiting <= 0 && found->second.databases.empty()) hashes_.erase(found);
}

bool Returned::put(const std::string& hash, const std::string& database) {
    std::lock_guard lock(mutex_);
    if (hashes_.size() >= most_remembered && !hashes_.contains(hash)) return false;
    OfHash& of = hashes_[hash];
    if (of.waiting > 0 || of.databases.size() >= most_remembered) return false;
    if (std::ranges::find(of.databases, database) == of.databases.end())
        of.databases.push_back(database);
    return true;
}

void Returned::forget(const std::string& hash) {
    std::lock_guard lock(mutex_);
    auto found = hashes_.find(hash);
    if (found == hashes_.end()) return;
    found->second.databases.clear();
    if (found->second.waiting == 0) hashes_.erase(found);
}

void Returned::forget_all() {
    std::lock_guard lock(mutex_);
    for (auto& [hash, of] : hashes_) of.databases.clear();
    std::erase_if(hashes_, [](const auto& each) { return each.second.waiting == 0; });
}

}  // namespace gateway
