// An array that grows, in the memory context that was current when it was made. It has no
// destructor: the context frees it.
#pragma once

#include "pg/server.h"

namespace testpool {

template <class Item>
class Growing {
    static_assert(std::is_trivially_copyable_v<Item>);

  public:
    void add(const Item& item) {
        if (count_ == room_) grow();
        items_[count_++] = item;
    }
    std::span<Item> all() const { return {items_, count_}; }

  private:
    void grow() {
        room_ = std::max<size_t>(64, room_ * 2);
        auto* larger = static_cast<Item*>(MemoryContextAllocHuge(context_, room_ * sizeof(Item)));
        std::copy_n(items_, count_, larger);
        if (items_ != nullptr) pfree(items_);
        items_ = larger;
    }

    MemoryContext context_ = CurrentMemoryContext;
    Item* items_ = nullptr;
    size_t count_ = 0;
    size_t room_ = 0;
};

}  // namespace testpool
