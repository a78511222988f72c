// Rows of catalogs, compared by their bytes.
#pragma once

#include "pg/server.h"

namespace testpool {

/// Less than, equal to or greater than zero; an order of no meaning.
inline int compare_rows(HeapTuple a, HeapTuple b) {
    constexpr uint32 from = offsetof(HeapTupleHeaderData, t_bits);
    auto nulls = [](HeapTuple row) { return row->t_data->t_infomask & HEAP_HASNULL; };
    if (nulls(a) != nulls(b)) return nulls(a) < nulls(b) ? -1 : 1;
    if (a->t_len != b->t_len) return a->t_len < b->t_len ? -1 : 1;
    return memcmp(reinterpret_cast<char*>(a->t_data) + from,
                  reinterpret_cast<char*>(b->t_data) + from, a->t_len - from);
}

}  // namespace testpool
