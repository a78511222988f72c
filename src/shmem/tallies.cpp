// Tallies: counted by the launcher, read by anybody.

#include "settings.h"
#include "shmem/memory.h"

#include <cmath>

namespace testpool::shmem {

namespace {

Tally fresh(int32 of) {
    Tally tally{};
    tally.of = of;
    tally.since = GetCurrentTimestamp();
    return tally;
}

/// Where the tally of a template is, or would best be; the next ones follow, around the end.
size_t place_of(int32 of, size_t step) {
    return (static_cast<size_t>(of) + step) % tallies().size();
}

Tally* find(int32 of, int32 wanted) {
    for (size_t step = 0; step < tallies().size(); step++)
        if (Tally& tally = tallies()[place_of(of, step)]; tally.of == wanted) return &tally;
    return nullptr;
}

Tally* find(int32 of) { return find(of, of); }

/// Changes the tally of a template, which is made if there is none.
template <class Change>
void change(int32 of, Change change) {
    locked(LW_EXCLUSIVE, [&] {
        Tally* tally = find(of);
        if (tally == nullptr && (tally = find(of, 0)) != nullptr) *tally = fresh(of);
        if (tally != nullptr) change(*tally);
    });
}

int64& at(Tally& tally, Count what) { return tally.counts[static_cast<size_t>(what)]; }

constexpr int64 minute_us = SECS_PER_MINUTE * USECS_PER_SEC;

int64 peak_us() { return settings::shrink_after * USECS_PER_SEC / Tally::kept; }

/// The present one of the spans of time that are kept, each so long.
template <class Span>
Span& present(std::array<Span, Tally::kept>& spans, int64 length_us, TimestampTz now) {
    int64 number = now / length_us;
    Span& span = spans[number % Tally::kept];
    if (span.number != number) span = {.number = number};
    return span;
}

template <class Span, class Each>
void each_recent(const std::array<Span, Tally::kept>& spans, int64 length_us, TimestampTz now,
                 Each each) {
    int64 number = now / length_us;
    for (const Span& span : spans)
        if (span.number <= number && span.number > number - Tally::kept) each(span);
}

/// The mean of the last seconds, in which the latest ones count most.
double acquires_per_second(const Tally& tally, TimestampTz now) {
    constexpr double memory_us = 10.0 * USECS_PER_SEC;
    double fades = std::exp(-static_cast<double>(now - tally.acquired_at) / memory_us);
    return tally.acquires_per_second * fades + USECS_PER_SEC / memory_us;
}

}  // namespace

void count(int32 of, Count what, int64 number) {
    change(of, [&](Tally& tally) { at(tally, what) += number; });
}

void count_acquire(int32 of, int64 waited_us, int32 leased) {
    TimestampTz now = GetCurrentTimestamp();
    change(of, [&](Tally& tally) {
        at(tally, Count::acquires)++;
        at(tally, Count::waited_us) += waited_us;
        histogram::count(tally.waits, waited_us);
        tally.gauges.most_leased = std::max(tally.gauges.most_leased, leased);
        tally.acquires_per_second = acquires_per_second(tally, now);
        tally.acquired_at = tally.used_at = now;
        present(tally.minutes, minute_us, now).waited_us += waited_us;
        Peak& peak = present(tally.peaks, peak_us(), now);
        peak.leased = std::max(peak.leased, leased);
        peak.acquires_per_second = std::max(peak.acquires_per_second, tally.acquires_per_second);
    });
}

void count_timeout(int32 of, int64 waited_us) {
    TimestampTz now = GetCurrentTimestamp();
    change(of, [&](Tally& tally) {
        at(tally, Count::timeouts)++;
        at(tally, Count::waited_us) += waited_us;
        present(tally.minutes, minute_us, now).waited_us += waited_us;
    });
}

void count_failure(int32 of, const char* error) {
    TimestampTz now = GetCurrentTimestamp();
    change(of, [&](Tally& tally) {
        at(tally, Count::failures)++;
        tally.failed_at = now;
        copy_text(tally.error, sizeof(tally.error), error);
    });
}

void count_refusal(int32 of, const char* why) {
    change(of, [&](Tally& tally) {
        at(tally, Count::refusals)++;
        copy_text(tally.refusal, sizeof(tally.refusal), why);
    });
}

void note_demand(int32 of, int32 clones) {
    TimestampTz now = GetCurrentTimestamp();
    change(of, [&](Tally& tally) {
        int32& peak = present(tally.peaks, peak_us(), now).leased;
        peak = std::max(peak, clones);
        tally.used_at = now;
    });
}

void note_debt(int32 of, int32 databases, int64 bytes) {
    change(of, [&](Tally& tally) {
        tally.gauges.debt = databases;
        tally.gauges.debt_bytes = bytes;
    });
}

void forget_tally(int32 of) {
    locked(LW_EXCLUSIVE, [&] {
        if (Tally* tally = find(of)) *tally = {};
    });
}

bool tally_at(int index, Tally* tally) {
    if (index >= memory->tallies) return false;
    locked(LW_SHARED, [&] { *tally = tallies()[index]; });
    return true;
}

void reset_tallies() {
    locked(LW_EXCLUSIVE, [] {
        for (Tally& tally : tallies())
            if (tally.of != 0) {
                Gauges now = {.debt = tally.gauges.debt, .debt_bytes = tally.gauges.debt_bytes};
                TimestampTz used_at = tally.used_at;
                tally = fresh(tally.of);
                tally.gauges = now;
                tally.used_at = used_at;
            }
        memory->tallies_reset = true;
        wake_launcher();  // pools may shrink
    });
}

bool tallies_were_reset() {
    return locked(LW_EXCLUSIVE, [] { return std::exchange(memory->tallies_reset, false); });
}

int64 recently_waited_us(const Tally& tally, TimestampTz now) {
    int64 sum = 0;
    each_recent(tally.minutes, minute_us, now, [&](const Minute& m) { sum += m.waited_us; });
    return sum;
}

namespace {

double ratio(int64 part, int64 whole) {
    return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

double mean_seconds(int64 microseconds, int64 number) {
    return ratio(microseconds, number) / USECS_PER_SEC;
}

}  // namespace

Usage usage_of(int32 of) {
    TimestampTz now = GetCurrentTimestamp();
    return locked(LW_SHARED, [&] {
        Usage usage{};
        Tally* tally = find(of);
        if (tally == nullptr) return usage;
        int64 rewinds = at(*tally, Count::rewinds) + at(*tally, Count::clean);
        int64 clones = at(*tally, Count::clones);
        int64 clone_us = at(*tally, Count::clone_us);
        usage.used_at = tally->used_at;
        each_recent(tally->peaks, peak_us(), now, [&](const Peak& p) {
            usage.peak = std::max(usage.peak, p.leased);
            usage.acquires_per_second = std::max(usage.acquires_per_second, p.acquires_per_second);
        });
        usage.seconds_to_clone = mean_seconds(clone_us, clones);
        int64 refusals = at(*tally, Count::refusals);
        usage.seconds_to_prepare = mean_seconds(at(*tally, Count::rewind_us), rewinds) +
                                   ratio(refusals, rewinds + refusals) * usage.seconds_to_clone;
        return usage;
    });
}

void note_used(int32 of) {
    TimestampTz now = GetCurrentTimestamp();
    change(of, [&](Tally& tally) { tally.used_at = now; });
}

}  // namespace testpool::shmem
