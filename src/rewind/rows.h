// Rows of another database's tables, read from outside: nobody enters it, and nothing of it is
// locked or changed, down to the hint bits. What is dirty in shared buffers is read there, the rest
// in its files. Whoever is inside may be writing to them, and a file may be damaged, so nothing is
// believed of a row that is not measured here.
#pragma once

#include "rewind/buffers.h"
#include "rewind/segments.h"

namespace testpool::rewind {

/// One fork of one relation, page by page; close() when done.
class PageReader {
  public:
    PageReader(Oid database, const ForkName& name, std::span<const DirtyBlock> dirty)
        : database_(database), name_(name), dirty_(dirty), segments_(database, name) {}

    /// A copy of the page, valid until the next call.
    char* at(BlockNumber block);
    void close() { segments_.close(); }

  private:
    bool copy_from_buffer(BlockNumber block);

    Oid database_;
    ForkName name_;
    std::span<const DirtyBlock> dirty_;
    Segments segments_;
    PGAlignedBlock page_;
};

/// The row at that place of a page, dead or alive, if there is one that lies within the page.
bool row_at(Page page, OffsetNumber offset, HeapTupleData& row);
/// True if the row is committed and not deleted.
bool is_live(HeapTupleHeader row);
/// True if each of its columns lies within the row.
bool fits(HeapTuple row, TupleDesc columns);

/// The first columns of a catalog's row, as its C struct has them; nullptr if it has fewer bytes
/// than `needed`.
template <class Form>
Form* form_of(HeapTuple row, size_t needed = sizeof(Form)) {
    bool enough = row->t_len >= row->t_data->t_hoff + needed;
    return enough ? reinterpret_cast<Form*>(GETSTRUCT(row)) : nullptr;
}

/// A name that ends within its bytes.
NameData name_of(const NameData& name);

/// Calls each(row) for every row of the page, dead or alive.
template <class Each>
void each_row(Page page, Each each) {
    int last = PageIsNew(page) ? 0 : static_cast<int>(PageGetMaxOffsetNumber(page));
    last = std::min(last, static_cast<int>(MaxHeapTuplesPerPage));
    for (int offset = FirstOffsetNumber; offset <= last; offset++) {
        HeapTupleData row{};
        if (row_at(page, static_cast<OffsetNumber>(offset), row)) each(&row);
    }
}

}  // namespace testpool::rewind
