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
        Item* x = i < a.size() ? &a[i] : nullptr;
        Item* y = j < b.size() ? &b[j] : nullptr;
        bool in_a =
            y == nullptr || (x != nullptr && !precedes(std::invoke(key, *y), std::invoke(key, *x)));
        bool in_b =
            x == nullptr || (y != nullptr && !precedes(std::invoke(key, *x), std::invoke(key, *y)));
        each(in_a ? x : nullptr, in_b ? y : nullptr);
        i += in_a;
        j += in_b;
    }
}

}  // namespace testpool
