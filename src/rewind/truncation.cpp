// Relations that are longer than their template's. RelationTruncate() flushes the log for each
// before it touches the file, and a test that creates a table lengthens several catalogs: here the
// commit flushes for all of them. What a checkpoint may and may not see of it is as in
// RelationTruncate().

#include "rewind/truncation.h"

namespace testpool::rewind {

namespace {

/// Recovery and standbys shorten the relation's maps with it. Here each is put back by itself.
XLogRecPtr log_truncation(const Truncation& truncation) {
    xl_smgr_truncate record{truncation.length, truncation.relation, SMGR_TRUNCATE_ALL};
    XLogBeginInsert();
    XLogRegisterData(reinterpret_cast<char*>(&record), sizeof(record));
    return XLogInsert(RM_SMGR_ID, XLOG_SMGR_TRUNCATE | XLR_SPECIAL_REL_UPDATE);
}

BlockNumber length_of(const Truncation& truncation) {
    return smgrnblocks(compat::storage_of(truncation.relation), MAIN_FORKNUM);
}

void truncate_file(const Truncation& truncation) {
    compat::truncate_fork(compat::storage_of(truncation.relation), MAIN_FORKNUM,
                          length_of(truncation), truncation.length);
}

}  // namespace

void Truncations::announce(const Truncation& truncation) {
    if (all_.all().empty()) redo_ = GetRedoRecPtr();
    all_.add(truncation);
    if (truncation.logged) announced_ = log_truncation(truncation);
}

void Truncations::carry_out() const {
    std::span<const Truncation> all = all_.all();
    if (all.empty()) return;
    XLogRecPtr announced = announced_;
    std::ranges::for_each(all, length_of);  // opens the files: nothing may be allocated below
    START_CRIT_SECTION();
    MyProc->delayChkptFlags |= DELAY_CHKPT_START | DELAY_CHKPT_COMPLETE;
    // A checkpoint that began since the announcement would hide it from recovery.
    if (GetRedoRecPtr() != redo_)
        for (const Truncation& t : all)
            if (t.logged) announced = log_truncation(t);
    XLogFlush(announced);
    std::ranges::for_each(all, truncate_file);
    END_CRIT_SECTION();
    MyProc->delayChkptFlags &= ~(DELAY_CHKPT_START | DELAY_CHKPT_COMPLETE);
}

}  // namespace testpool::rewind
