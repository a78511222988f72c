// Reading rows without their database.

#include "rewind/rows.h"

namespace testpool::rewind {

char* PageReader::at(BlockNumber block) {
    if (!copy_from_buffer(block)) segments_.read(block, 1, page_.data);
    return page_.data;
}

/// False if the block is not dirty, or not in its buffer any more: then the file has it.
bool PageReader::copy_from_buffer(BlockNumber block) {
    auto found = std::ranges::lower_bound(dirty_, block, {}, &DirtyBlock::block);
    if (found == dirty_.end() || found->block != block) return false;
    Locator locator{name_.tablespace, database_, name_.relation};
    if (!ReadRecentBuffer(locator, name_.fork, block, found->buffer)) return false;
    LockBuffer(found->buffer, BUFFER_LOCK_SHARE);
    memcpy(page_.data, BufferGetPage(found->buffer), BLCKSZ);
    UnlockReleaseBuffer(found->buffer);
    return true;
}

namespace {

/// What comes before the columns: the header, and a bit for each column if one is null.
size_t header_length(HeapTupleHeader row) {
    bool has_nulls = (row->t_infomask & HEAP_HASNULL) != 0;
    return SizeofHeapTupleHeader + (has_nulls ? BITMAPLEN(HeapTupleHeaderGetNatts(row)) : 0);
}

}  // namespace

bool row_at(Page page, OffsetNumber offset, HeapTupleData& row) {
    ItemId line = PageGetItemId(page, offset);
    bool within = ItemIdIsNormal(line) && ItemIdGetLength(line) > SizeofHeapTupleHeader &&
                  ItemIdGetOffset(line) + ItemIdGetLength(line) <= BLCKSZ &&
                  ItemIdGetOffset(line) == MAXALIGN(ItemIdGetOffset(line));
    if (!within) return false;
    row.t_len = ItemIdGetLength(line);
    row.t_data = reinterpret_cast<HeapTupleHeader>(PageGetItem(page, line));
    size_t header = row.t_data->t_hoff;
    return header >= header_length(row.t_data) && header == MAXALIGN(header) && header <= row.t_len;
}

/// As HeapTupleSatisfiesVisibility(), but it sets no hint bit; a transaction that is under way
/// counts as one that failed.
bool is_live(HeapTupleHeader row) {
    bool made =
        HeapTupleHeaderXminCommitted(row) ||
        (!HeapTupleHeaderXminInvalid(row) && TransactionIdDidCommit(HeapTupleHeaderGetXmin(row)));
    uint16 bits = row->t_infomask;
    if (!made || (bits & HEAP_XMAX_INVALID) != 0 || HEAP_XMAX_IS_LOCKED_ONLY(bits)) return made;
    return !TransactionIdDidCommit(HeapTupleHeaderGetUpdateXid(row));
}

namespace {

/// How many bytes the column takes there; 0: more than are left, which is one at least.
size_t length_of_column(const char* value, int16 length, size_t left) {
    size_t needed = 0;
    if (length > 0)
        needed = length;
    else if (length == -2)
        needed = strnlen(value, left) + 1;
    else if (left >= VARHDRSZ || (VARATT_IS_SHORT(value) && !VARATT_IS_EXTERNAL(value)))
        needed = VARSIZE_ANY(value);
    return needed <= left ? needed : 0;
}

}  // namespace

/// As heap_deform_tuple() goes through it.
bool fits(HeapTuple row, TupleDesc columns) {
    HeapTupleHeader header = row->t_data;
    int count = std::min<int>(HeapTupleHeaderGetNatts(header), columns->natts);
    const char* values = reinterpret_cast<char*>(header) + header->t_hoff;
    size_t length = row->t_len - header->t_hoff;
    size_t at = 0;
    for (int i = 0; i < count; i++) {
        if (HeapTupleHasNulls(row) && att_isnull(i, header->t_bits)) continue;
        Form_pg_attribute column = TupleDescAttr(columns, i);
        if (at >= length) return false;
        at = att_align_pointer(at, column->attalign, column->attlen, values + at);
        if (at >= length) return false;
        size_t taken = length_of_column(values + at, column->attlen, length - at);
        if (taken == 0) return false;
        at += taken;
    }
    return true;
}

NameData name_of(const NameData& name) {
    NameData ended = name;
    NameStr(ended)[NAMEDATALEN - 1] = '\0';
    return ended;
}

}  // namespace testpool::rewind
