// The newest version of a row.

#include "pg/newest.h"

namespace testpool {

namespace {

/// One version, pinned and looked at.
struct Version {
    bool found;
    TM_Result fate;
    HeapTuple copy;
    TransactionId written_by;
    TransactionId replaced_by;
    bool only_locked;
};

/// In which buffer the block may have been last. To look there is much cheaper than to ask how long
/// the file is.
Buffer& last_buffer(Relation table, BlockNumber block) {
    static Buffer buffers[64];
    return buffers[(block + RelationGetRelid(table)) % std::size(buffers)];
}

/// False for a place that is remembered from before the table was rewritten or shortened. The
/// table is locked, so it stays true.
bool has_block(Relation table, BlockNumber block) {
    Buffer buffer = last_buffer(table, block);
    if (!BufferIsValid(buffer) ||
        !ReadRecentBuffer(compat::locator_of(table), MAIN_FORKNUM, block, buffer))
        return block < RelationGetNumberOfBlocks(table);
    ReleaseBuffer(buffer);
    return true;
}

Version look_at(Relation table, ItemPointerData at) {
    BlockNumber block = ItemPointerGetBlockNumber(&at);
    if (!has_block(table, block)) return {};
    HeapTupleData row;
    row.t_self = at;
    Buffer buffer = InvalidBuffer;
    if (!heap_fetch(table, SnapshotAny, &row, &buffer, false)) return {};
    last_buffer(table, block) = buffer;
    LockBuffer(buffer, BUFFER_LOCK_SHARE);
    Version version{};
    version.found = true;
    version.fate = HeapTupleSatisfiesUpdate(&row, GetCurrentCommandId(false), buffer);
    version.copy = heap_copytuple(&row);
    UnlockReleaseBuffer(buffer);
    HeapTupleHeader header = version.copy->t_data;
    version.written_by = HeapTupleHeaderGetXmin(header);
    version.replaced_by = HeapTupleHeaderGetUpdateXid(header);
    version.only_locked = HEAP_XMAX_IS_LOCKED_ONLY(header->t_infomask);
    return version;
}

bool is_replaced(const Version& version) {
    bool own = TransactionIdIsCurrentTransactionId(version.replaced_by);
    return version.fate == TM_Updated || version.fate == TM_SelfModified ||
           (version.fate == TM_Invisible && own);
}

}  // namespace

NewestRow newest_from(Relation table, ItemPointerData from) {
    TransactionId writer = InvalidTransactionId;  // of the version that comes next
    for (ItemPointerData at = from; ItemPointerIsValid(&at);) {
        Version version = look_at(table, at);
        bool follows = !TransactionIdIsValid(writer) || version.written_by == writer;
        if (!version.found || !follows) return {};
        if (version.fate == TM_Ok) return {version.copy};
        if (version.fate == TM_BeingModified) return {version.copy, !version.only_locked};
        ItemPointerData next = version.copy->t_data->t_ctid;
        if (!is_replaced(version) || ItemPointerEquals(&next, &at)) return {};
        writer = version.replaced_by;
        at = next;
        heap_freetuple(version.copy);
    }
    return {};
}

}  // namespace testpool
