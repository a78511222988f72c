// Requests and replies: a session posts at its own slot and sleeps; the launcher looks through all
// slots in order of arrival and answers those it can. A request stays posted until it is
// answered or its session leaves, so a wake-up cannot be lost.

#include "shmem/memory.h"

namespace testpool::shmem {

namespace {

// A crash of the launcher is followed by a new one within a second.
constexpr int launcher_absence_ms = 10'000;

bool session_watched = false;

RequestSlot& own_slot() { return request_slots()[compat::process_number()]; }

RequestSlot* slot_of(uint64 ticket) {
    for (RequestSlot& slot : request_slots())
        if (slot.phase == RequestPhase::posted && slot.request.ticket == ticket) return &slot;
    return nullptr;
}

void session_ends(int /*code*/, Datum /*argument*/) {
    locked(LW_EXCLUSIVE, [] {
        own_slot().watched = false;
        own_slot().phase = RequestPhase::idle;
        orphan_leases(own_slot().session);
        wake_launcher();
    });
}

}  // namespace

void watch_session() {
    if (session_watched) return;
    on_shmem_exit(session_ends, 0);
    session_watched = true;
    locked(LW_EXCLUSIVE, [] {
        RequestSlot& slot = own_slot();
        slot.session = {MyProcPid, MyStartTimestamp};
        slot.latch = MyLatch;
        slot.watched = true;
    });
}

void begin_session_anew() {
    if (!session_watched) return;
    locked(LW_EXCLUSIVE, [] {
        Session& session = own_slot().session;
        orphan_leases(session);
        session.since = std::max(GetCurrentTimestamp(), session.since + 1);
        wake_launcher();
    });
}

uint64 post(const Request& request) {
    return locked(LW_EXCLUSIVE, [&] {
        RequestSlot& slot = own_slot();
        slot.request = request;
        slot.request.accepted = false;
        slot.request.lease = 0;
        slot.request.session = slot.session;
        slot.request.ticket = ++memory->last_ticket;
        slot.phase = RequestPhase::posted;
        wake_launcher();
        return slot.request.ticket;
    });
}

bool answered(Reply* reply) {
    return locked(LW_SHARED, [&] {
        if (own_slot().phase != RequestPhase::answered) return false;
        *reply = own_slot().reply;
        return true;
    });
}

LeaseKey leave() {
    return locked(LW_EXCLUSIVE, [] {
        RequestSlot& slot = own_slot();
        LeaseKey given = slot.phase == RequestPhase::answered ? slot.reply.granted : 0;
        if (slot.phase == RequestPhase::posted) wake_launcher();
        slot.phase = RequestPhase::idle;
        return given;
    });
}

bool launcher_alive() {
    return locked(LW_SHARED, [] {
        return memory->launcher != nullptr ||
               !TimestampDifferenceExceeds(memory->launcher_left, GetCurrentTimestamp(),
                                           launcher_absence_ms);
    });
}

void announce_catalog() {
    locked(LW_EXCLUSIVE, [] {
        memory->catalog_announced = true;
        wake_launcher();
    });
}

bool catalog_announced() {
    return locked(LW_EXCLUSIVE, [] {
        bool announced = memory->catalog_announced;
        memory->catalog_announced = false;
        return announced;
    });
}

namespace {

void launcher_leaves(int /*code*/, Datum /*argument*/) {
    locked(LW_EXCLUSIVE, [] {
        memory->launcher = nullptr;
        memory->launcher_left = GetCurrentTimestamp();
    });
}

}  // namespace

void launcher_enters() {
    locked(LW_EXCLUSIVE, [] {
        memory->launcher = MyLatch;
        launcher_started();
    });
    on_shmem_exit(launcher_leaves, 0);
}

bool next_request(uint64 after, Request* request) {
    return locked(LW_SHARED, [&] {
        const RequestSlot* next = nullptr;
        for (const RequestSlot& slot : request_slots()) {
            if (slot.phase != RequestPhase::posted || slot.request.ticket <= after) continue;
            if (next == nullptr || slot.request.ticket < next->request.ticket) next = &slot;
        }
        if (next == nullptr) return false;
        *request = next->request;
        return true;
    });
}

void accept(uint64 ticket, LeaseKey lease) {
    locked(LW_EXCLUSIVE, [&] {
        RequestSlot* slot = slot_of(ticket);
        if (slot == nullptr) return;
        slot->request.accepted = true;
        slot->request.lease = lease;
    });
}

bool reply(uint64 ticket, const Reply& answer) {
    return locked(LW_EXCLUSIVE, [&] {
        RequestSlot* slot = slot_of(ticket);
        if (slot == nullptr) return false;
        slot->reply = answer;
        slot->phase = RequestPhase::answered;
        SetLatch(slot->latch);
        return true;
    });
}

bool session_alive(const Session& session) {
    return locked(LW_SHARED, [&] {
        return std::ranges::any_of(request_slots(), [&](const RequestSlot& s) {
            return s.watched && s.session == session;
        });
    });
}

}  // namespace testpool::shmem
