// How copies of a template are made, and what that was chosen by.

#include "catalog.h"
#include "database.h"
#include "disk.h"
#include "pool/lifecycle.h"
#include "settings.h"

namespace testpool::pool {

namespace {

const char* name_of(Strategy strategy) {
    return strategy == Strategy::file_copy ? "file_copy" : "wal_log";
}

const char* reason_of(const Template& t, bool can_share) {
    constexpr int64 megabyte = 1024 * 1024;
    return psprintf(
        "%s: %lld MB in %d files on %s, where blocks %s shared%s; fsync is %s",
        settings::strategy() == Strategy::automatic ? "auto" : "testpool.clone_strategy",
        static_cast<long long>(t.bytes / megabyte), t.seal.files,
        disk::file_system(t.oid, database::tablespace_of(t.oid)),
        can_share ? "can be" : "cannot be", t.stampless ? " and no times of files are kept" : "",
        enableFsync ? "on" : "off");
}

void tell(const State& state, Template& t, Strategy strategy, const char* reason) {
    const char* name = name_of(strategy);
    bool told = t.clone_strategy != nullptr && strcmp(t.clone_strategy, name) == 0 &&
                strcmp(t.strategy_reason, reason) == 0;
    if (told) return;
    set_text(state, t.clone_strategy, name);
    set_text(state, t.strategy_reason, reason);
    catalog::update(t);
}

}  // namespace

Copying choose_copying(const State& state, Template& t) {
    if (t.is_root()) return copying_of_root();
    Oid tablespace = database::tablespace_of(t.oid);
    bool can_share = disk::shares_blocks(t.oid, tablespace);
    Strategy strategy = settings::strategy();
    if (strategy == Strategy::automatic)
        strategy = fastest({.bytes = t.bytes,
                            .files = t.seal.files,
                            .synced = enableFsync && disk::is_lasting(t.oid, tablespace)});
    tell(state, t, strategy, reason_of(t, can_share));
    return {strategy, can_share};
}

Copying copying_of_root() {
    bool copied = settings::strategy() == Strategy::file_copy;
    return {copied ? Strategy::file_copy : Strategy::wal_log, false};
}

}  // namespace testpool::pool
