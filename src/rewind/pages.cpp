// Putting pages back. Everything goes through shared buffers, and every page that is put back is
// logged whole, so that crash recovery and standbys end with the same pages whatever
// full_page_writes says.

#include "rewind/pages.h"

#include "rewind/compare.h"
#include "rewind/drift.h"

#include "points.h"

namespace testpool::rewind {

bool has_empty_hole(const char* page) {
    auto* header = reinterpret_cast<const PageHeaderData*>(page);
    if (header->pd_lower < SizeOfPageHeaderData || header->pd_upper <= header->pd_lower ||
        header->pd_upper > BLCKSZ)
        return false;
    return std::all_of(page + header->pd_lower, page + header->pd_upper,
                       [](char c) { return c == 0; });
}

void refuse_younger(const ForkPair& pair, ForkNumber fork, BlockNumber block, const char* page) {
    if (pair.logged && PageGetLSN(const_cast<char*>(page)) > pair.sealed_at)
        ereport(ERROR, (errcode(drifted_sqlstate),
                        errmsg("block %u of relation file %u, fork %s, of the template was changed "
                               "after it had been finalized",
                               block, compat::number_of(pair.source), forkNames[fork])));
}

namespace {

void put_back(Buffer target, Page page, ForkNumber fork, bool logged) {
    START_CRIT_SECTION();
    memcpy(BufferGetPage(target), page, BLCKSZ);
    MarkBufferDirty(target);
    if (logged)
        log_newpage_buffer(target,
                           fork == MAIN_FORKNUM && has_empty_hole(static_cast<char*>(page)));
    END_CRIT_SECTION();
}

/// True if the page differed.
bool restore(const ForkPair& pair, ForkNumber fork, BlockNumber block,
             BufferAccessStrategy strategy) {
    Buffer source =
        ReadBufferWithoutRelcache(pair.source, fork, block, RBM_NORMAL, strategy, pair.logged);
    LockBuffer(source, BUFFER_LOCK_SHARE);
    Buffer target = ReadBufferWithoutRelcache(pair.target, fork, block, RBM_ZERO_ON_ERROR, strategy,
                                              pair.logged);
    LockBuffer(target, BUFFER_LOCK_EXCLUSIVE);
    Page page = BufferGetPage(source);
    // A new page may be one that was just added: it is in the file, but not in the log.
    bool differs = PageIsNew(BufferGetPage(target)) ||
                   !same_page(static_cast<char*>(page), static_cast<char*>(BufferGetPage(target)));
    if (differs) {
        refuse_younger(pair, fork, block, static_cast<char*>(page));
        put_back(target, page, fork, pair.logged);
    }
    UnlockReleaseBuffer(target);
    UnlockReleaseBuffer(source);
    if (differs) TESTPOOL_POINT("rewind-page-put-back");
    return differs;
}

/// Shortens a free-space or visibility map. That is not logged, so the visibility map is emptied
/// first: a standby may keep its blocks, but none that calls a page all-visible.
void truncate_map(const Locator& target, ForkNumber fork, BlockNumber present, BlockNumber length,
                  bool logged) {
    PGAlignedBlock zeros{};
    for (BlockNumber block = length; fork == VISIBILITYMAP_FORKNUM && block < present; block++) {
        Buffer buffer =
            ReadBufferWithoutRelcache(target, fork, block, RBM_ZERO_AND_LOCK, nullptr, logged);
        put_back(buffer, zeros.data, fork, logged);
        UnlockReleaseBuffer(buffer);
    }
    compat::truncate_fork(compat::storage_of(target), fork, present, length);
}

/// Adds zeros, as CREATE DATABASE does before it fills them in.
void extend(const Locator& target, ForkNumber fork, BlockNumber present, BlockNumber length,
            bool logged) {
    SMgrRelation storage = compat::storage_of(target);
    if (!smgrexists(storage, fork)) {
        smgrcreate(storage, fork, false);
        if (logged) log_smgrcreate(&target, fork);
    }
    compat::AlignedBlock zeros{};
    if (length > present) smgrextend(storage, fork, length - 1, zeros.data, true);
}

}  // namespace

int64 restore_blocks(const ForkPair& pair, ForkNumber fork, std::span<const BlockNumber> blocks) {
    int64 restored = 0;
    for (BlockNumber block : blocks) {
        CHECK_FOR_INTERRUPTS();
        restored += restore(pair, fork, block, nullptr);
    }
    return restored;
}

int64 restore_all(const ForkPair& pair, ForkNumber fork, BlockNumber length) {
    int64 restored = 0;
    BufferAccessStrategy strategy = GetAccessStrategy(BAS_BULKREAD);
    for (BlockNumber block = 0; block < length; block++) {
        CHECK_FOR_INTERRUPTS();
        restored += restore(pair, fork, block, strategy);
    }
    FreeAccessStrategy(strategy);
    return restored;
}

void resize(const ForkPair& pair, ForkNumber fork, BlockNumber length) {
    const Locator& target = pair.target;
    SMgrRelation storage = compat::storage_of(target);
    BlockNumber present = smgrexists(storage, fork) ? smgrnblocks(storage, fork) : 0;
    if (present <= length)
        extend(target, fork, present, length, pair.logged);
    else
        truncate_map(target, fork, present, length, pair.logged);
}

void drop_relation(const Locator& target) {
    Relation relation = CreateFakeRelcacheEntry(target);
    RelationDropStorage(relation);
    FreeFakeRelcacheEntry(relation);
}

}  // namespace testpool::rewind
