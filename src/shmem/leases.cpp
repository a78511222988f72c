// Leases: which databases clients may be in, and when somebody was last there. Sessions read them
// to check a release without asking the launcher; only the launcher adds and removes.

#include "shmem/memory.h"

namespace testpool::shmem {

namespace {

// How long a client that was let in may take to be listed as being in its database.
constexpr int arrival_ms = 1'000;

std::span<Lease> taken() { return leases().first(memory->leases); }

Lease* with_key(LeaseKey key) {
    for (Lease& lease : taken())
        if (lease.key == key) return &lease;
    return nullptr;
}

/// The living lease of that database, else one that has ended.
Lease* named(const char* database) {
    Lease* ended = nullptr;
    for (Lease& lease : taken()) {
        if (strcmp(NameStr(lease.database), database) != 0) continue;
        if (lease.end == LeaseEnd::none) return &lease;
        ended = &lease;
    }
    return ended;
}

Lease* on_database(Oid oid) {
    for (Lease& lease : taken())
        if (lease.oid == oid) return &lease;
    return nullptr;
}

/// Runs while the process is still listed as being in its database; the launcher allows for that.
void depart(int /*code*/, Datum /*argument*/) {
    // Who was refused on the way in was never there.
    if (!OidIsValid(MyDatabaseId) || !IsNormalProcessingMode()) return;
    locked(LW_SHARED, [] {
        Lease* lease = on_database(MyDatabaseId);
        if (lease == nullptr) return;
        lease->last_seen = GetCurrentTimestamp();  // one aligned word: no reader sees half of it
        lease->arrival = 0;
        if (lease->orphaned) wake_launcher();
    });
}

}  // namespace

void orphan_leases(const Session& session) {
    for (Lease& lease : taken()) {
        if (lease.session != session || lease.detached) continue;
        lease.orphaned = true;
        lease.last_seen = GetCurrentTimestamp();
    }
}

void watch_departure() { on_shmem_exit(depart, 0); }

bool await_client(const char* database) {
    return locked(LW_SHARED, [&] {
        Lease* lease = named(database);
        if (lease == nullptr) return true;
        if (lease->end != LeaseEnd::none) return false;
        // One aligned word, as above; abandon() waits until it is written.
        lease->awaited_until = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), arrival_ms);
        return true;
    });
}

bool find_lease(const char* database, Lease* lease) {
    return locked(LW_SHARED, [&] {
        const Lease* found = named(database);
        if (found != nullptr) *lease = *found;
        return found != nullptr;
    });
}

bool is_handed_out(Oid database) {
    return locked(LW_SHARED, [&] { return on_database(database) != nullptr; });
}

bool find_lease_on(Oid oid, Lease* lease) {
    return locked(LW_SHARED, [&] {
        const Lease* found = on_database(oid);
        if (found != nullptr) *lease = *found;
        return found != nullptr;
    });
}

int own_leases(Lease* found, int room) {
    return locked(LW_SHARED, [&] {
        const RequestSlot& slot = request_slots()[compat::process_number()];
        if (!slot.watched) return 0;
        int count = 0;
        for (const Lease& each : taken())
            if (each.session == slot.session && each.kind == LeaseKind::lease &&
                each.end == LeaseEnd::none && count < room)
                found[count++] = each;
        return count;
    });
}

void end_lease(LeaseKey key, LeaseEnd end) {
    locked(LW_EXCLUSIVE, [&] {
        Lease* lease = with_key(key);
        if (lease == nullptr) return;
        if (lease->kind == LeaseKind::kept && end == LeaseEnd::rolled_back) return;
        lease->end = end;
        wake_launcher();
    });
}

TimestampTz unique_moment() {
    return locked(LW_EXCLUSIVE, [] {
        memory->last_moment = std::max(GetCurrentTimestamp(), memory->last_moment + 1);
        return memory->last_moment;
    });
}

bool put_lease(const Lease& lease) {
    return locked(LW_EXCLUSIVE, [&] {
        // One from before a restart may have begun when the clock was ahead.
        memory->last_moment = std::max<TimestampTz>(memory->last_moment, std::abs(lease.key));
        Lease* place = with_key(lease.key);
        if (place == nullptr && memory->leases == memory->lease_room) return false;
        Lease earlier = place != nullptr ? *place : lease;
        if (place == nullptr) place = &leases()[memory->leases++];
        *place = lease;
        place->end = earlier.end;
        place->orphaned |= earlier.orphaned;
        place->detached = earlier.detached;
        place->grace = earlier.grace;
        place->arrival = earlier.arrival;
        place->last_seen = std::max(earlier.last_seen, lease.last_seen);
        if (place->last_seen == 0) place->last_seen = GetCurrentTimestamp();
        place->awaited_until = std::max(earlier.awaited_until, lease.awaited_until);
        return true;
    });
}

bool hold(LeaseKey key, const Request& request) {
    return locked(LW_EXCLUSIVE, [&] {
        Lease* lease = with_key(key);
        if (lease == nullptr || lease->end != LeaseEnd::none) return false;
        TimestampTz now = GetCurrentTimestamp();
        lease->session = request.session;
        lease->detached = request.visit_grace >= 0;
        lease->orphaned = lease->detached;
        lease->grace = request.visit_grace;
        lease->arrival =
            lease->detached ? TimestampTzPlusMilliseconds(now, request.arrival_grace) : 0;
        lease->last_seen = now;
        return true;
    });
}

void remove_lease(LeaseKey key) {
    locked(LW_EXCLUSIVE, [&] {
        Lease* lease = with_key(key);
        if (lease != nullptr) *lease = leases()[--memory->leases];
    });
}

bool abandon(const Lease& seen) {
    return locked(LW_EXCLUSIVE, [&] {
        Lease* lease = with_key(seen.key);
        if (lease == nullptr || lease->last_seen != seen.last_seen ||
            lease->awaited_until != seen.awaited_until)
            return false;
        lease->end = LeaseEnd::abandoned;
        return true;
    });
}

void close_lease(LeaseKey key) {
    locked(LW_EXCLUSIVE, [&] {
        Lease* lease = with_key(key);
        if (lease != nullptr) lease->end = LeaseEnd::released;
    });
}

bool lease_at(int index, Lease* lease) {
    return locked(LW_SHARED, [&] {
        if (index >= memory->leases) return false;
        *lease = leases()[index];
        return true;
    });
}

int ending_lease(int index, Lease* lease) {
    return locked(LW_SHARED, [&] {
        for (int i = std::min(index, memory->leases) - 1; i >= 0; i--) {
            const Lease& each = leases()[i];
            if (each.end == LeaseEnd::none && !each.orphaned) continue;
            *lease = each;
            return i;
        }
        return -1;
    });
}

int lease_room() { return memory->lease_room; }

}  // namespace testpool::shmem
