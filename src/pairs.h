// Two sorted lists, side by side.
#pragma once

#include <cstddef>
#include <functional>
#include <span>

namespace testpool {

/// Calls each(a, b) for every item of either list, both sorted by `key`; nullptr: not in that one.
template <class Item, class Key, class Each, class Precedes = std::less<>>
void each_pair(std::span<Item> a, std::span<Item> b, Key key, Each each, Precedes precedes = {}) {
    for (size_t i = 0, j = 0; i < a.size() || j < b.size();) {
        bool no_a = i == a.size();
        bool no_b = j == b.size();
        auto a_key = [&] { return std::invoke(key, a[i]); };
        auto b_key = [&] { return std::invoke(key, b[j]); };
        bool in_a = no_b || (!no_a && !precedes(b_key(), a_key()));
        bool in_b = !in_a || (!no_b && !precedes(a_key(), b_key()));
        each(in_a ? &a[i] : nullptr, in_b ? &b[j] : nullptr);
        i += in_a;
        j += in_b;
    }
}

}  // namespace testpool
