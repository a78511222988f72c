// Requests and replies: a session posts at its own seat and sleeps; the steward looks through all
// seats in order of arrival and answers those it can. A request stays posted until it is
// answered or its session leaves, so a wake-up cannot be lost.

#include "board/memory.h"

namespace testpool::board {

namespace {

// A crash of the steward is followed by a new one within a second.
constexpr int steward_absence_ms = 10'000;

bool session_watched = false;

Seat& own_seat() { return seats()[compat::process_number()]; }

Seat* seat_of(uint64 ticket) {
    for (Seat& seat : seats())
        if (seat.phase == SeatPhase::posted && seat.request.ticket == ticket) return &seat;
    return nullptr;
}

void session_ends(int /*code*/, Datum /*argument*/) {
    locked(LW_EXCLUSIVE, [] {
        own_seat().watched = false;
        own_seat().phase = SeatPhase::idle;
        orphan_leases(own_seat().session);
        wake_steward();
    });
}

}  // namespace

void watch_session() {
    if (session_watched) return;
    on_shmem_exit(session_ends, 0);
    session_watched = true;
    locked(LW_EXCLUSIVE, [] {
        Seat& seat = own_seat();
        seat.session = {MyProcPid, MyStartTimestamp};
        seat.latch = MyLatch;
        seat.watched = true;
    });
}

void begin_session_anew() {
    if (!session_watched) return;
    locked(LW_EXCLUSIVE, [] {
        Session& session = own_seat().session;
        orphan_leases(session);
        session.since = std::max(GetCurrentTimestamp(), session.since + 1);
        wake_steward();
    });
}

uint64 post(const Request& request) {
    return locked(LW_EXCLUSIVE, [&] {
        Seat& seat = own_seat();
        seat.request = request;
        seat.request.accepted = false;
        seat.request.lease = 0;
        seat.request.session = seat.session;
        seat.request.ticket = ++memory->last_ticket;
        seat.phase = SeatPhase::posted;
        wake_steward();
        return seat.request.ticket;
    });
}

bool answered(Reply* reply) {
    return locked(LW_SHARED, [&] {
        if (own_seat().phase != SeatPhase::answered) return false;
        *reply = own_seat().reply;
        return true;
    });
}

LeaseKey leave() {
    return locked(LW_EXCLUSIVE, [] {
        Seat& seat = own_seat();
        LeaseKey given = seat.phase == SeatPhase::answered ? seat.reply.granted : 0;
        if (seat.phase == SeatPhase::posted) wake_steward();
        seat.phase = SeatPhase::idle;
        return given;
    });
}

bool steward_alive() {
    return locked(LW_SHARED, [] {
        return memory->steward != nullptr ||
               !TimestampDifferenceExceeds(memory->steward_left, GetCurrentTimestamp(),
                                           steward_absence_ms);
    });
}

void announce_catalog() {
    locked(LW_EXCLUSIVE, [] {
        memory->catalog_announced = true;
        wake_steward();
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

void steward_leaves(int /*code*/, Datum /*argument*/) {
    locked(LW_EXCLUSIVE, [] {
        memory->steward = nullptr;
        memory->steward_left = GetCurrentTimestamp();
    });
}

}  // namespace

void steward_enters() {
    locked(LW_EXCLUSIVE, [] {
        memory->steward = MyLatch;
        steward_started();
    });
    on_shmem_exit(steward_leaves, 0);
}

bool next_request(uint64 after, Request* request) {
    return locked(LW_SHARED, [&] {
        const Seat* next = nullptr;
        for (const Seat& seat : seats()) {
            if (seat.phase != SeatPhase::posted || seat.request.ticket <= after) continue;
            if (next == nullptr || seat.request.ticket < next->request.ticket) next = &seat;
        }
        if (next == nullptr) return false;
        *request = next->request;
        return true;
    });
}

void accept(uint64 ticket, LeaseKey lease) {
    locked(LW_EXCLUSIVE, [&] {
        Seat* seat = seat_of(ticket);
        if (seat == nullptr) return;
        seat->request.accepted = true;
        seat->request.lease = lease;
    });
}

bool reply(uint64 ticket, const Reply& answer) {
    return locked(LW_EXCLUSIVE, [&] {
        Seat* seat = seat_of(ticket);
        if (seat == nullptr) return false;
        seat->reply = answer;
        seat->phase = SeatPhase::answered;
        SetLatch(seat->latch);
        return true;
    });
}

bool session_alive(const Session& session) {
    return locked(LW_SHARED, [&] {
        return std::ranges::any_of(
            seats(), [&](const Seat& s) { return s.watched && s.session == session; });
    });
}

}  // namespace testpool::board
