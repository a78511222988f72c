#include "watch.h"

#include <iostream>

#include "../error.h"
#include "../stop.h"
#include "format.h"

namespace gateway::page {

namespace {

constexpr milliseconds timeout{10'000};
constexpr milliseconds between_snapshots{1'000};
constexpr milliseconds between_samples{5'000};
// How long a watcher waits, before it is time to show the client that the gateway is still there.
constexpr milliseconds quiet{10'000};
constexpr milliseconds look_interval{500};

// One statement, so that all is of one time.
constexpr const char* snapshot_sql = R"(
SELECT json_build_object(
  'at', extract(epoch FROM clock_timestamp()),
  'time', to_char(clock_timestamp(), 'HH24:MI:SS'),
  'testpool', testpool.version(),
  'postgresql', split_part(current_setting('server_version'), ' ', 1),
  'home', current_database(),
  'workers', current_setting('testpool.workers')::integer,
  'free', testpool.free_space(),
  'waiting', (SELECT count(*) FROM pg_stat_activity
      WHERE backend_type = 'client backend' AND wait_event_type = 'Extension'
        AND wait_event IN ('Extension', 'TestpoolReply')),
  'templates', (SELECT coalesce(json_agg(t ORDER BY coalesce(claimed_at, '-infinity') DESC), '[]')
      FROM testpool.templates t),
  'databases', (SELECT coalesce(json_agg(d ORDER BY created_at, database), '[]')
      FROM testpool.databases d),
  'stats', (SELECT coalesce(json_agg(s), '[]') FROM testpool.stats s),
  'progress', (SELECT coalesce(json_agg(p ORDER BY started_at, pid), '[]') FROM testpool.progress p)))";

constexpr const char* sample_sql = R"(
SELECT json_build_object(
  'at', extract(epoch FROM clock_timestamp()),
  'waits', (SELECT coalesce(json_agg(w), '[]') FROM testpool.waits w),
  'pools', (SELECT coalesce(json_agg(p), '[]') FROM (
      SELECT hash, state, count(*) FROM testpool.databases GROUP BY 1, 2) p)))";

constexpr const char* advice_sql =
    "SELECT coalesce(json_agg(sentence), '[]') FROM testpool.advice() AS sentence";

json asked(Connection& connection, const char* sql, const Patience& patience) {
    return json::parse(connection.query(sql, {}, patience).text(0, 0));
}

}  // namespace

void Watch::publish(const std::shared_ptr<Snapshot>& next) {
    std::lock_guard lock(mutex_);
    next->history = history_;
    next->advice = advice_;
    next->number = last_->number + 1;
    last_ = next;
    changed_.notify_all();
}

/// If the server cannot be asked, what was known before is shown with the reason.
SnapshotPtr Watch::take() {
    auto next = std::make_shared<Snapshot>();
    try {
        Patience patience{Clock::now() + timeout, nullptr};
        pool_.with(Use::brief, patience, [&](Connection& connection) {
            next->all = asked(connection, snapshot_sql, patience);
        });
        next->at = number_of(next->all, "at");
    } catch (const std::exception& error) {
        std::lock_guard lock(mutex_);
        next->all = last_->all;
        next->at = last_->at;
        next->error = error.what();
    }
    publish(next);
    return next;
}

void Watch::sample() {
    try {
        Patience patience{Clock::now() + timeout, nullptr};
        json advice;
        json counts;
        pool_.with(Use::brief, patience, [&](Connection& connection) {
            counts = asked(connection, sample_sql, patience);
            advice = asked(connection, advice_sql, patience);
        });
        std::lock_guard lock(mutex_);
        auto history = std::make_shared<History>(*history_);
        history->add(number_of(counts, "at"), counts["waits"], counts["pools"]);
        history_ = history;
        advice_ = std::move(advice);
    } catch (const std::exception&) {
        // It is told by take(), if somebody looks.
    }
}

void Watch::run() {
    Clock::time_point next_sample = Clock::now();
    while (!stop::begun()) {
        if (Clock::now() >= next_sample) {
            sample();
            next_sample = Clock::now() + between_samples;
        }
        bool watched = false;
        {
            std::lock_guard lock(mutex_);
            watched = watchers_ > 0;
        }
        if (watched) take();
        stop::wait(between_snapshots);
    }
    changed_.notify_all();
}

SnapshotPtr Watch::now() {
    // Who opens the page first must not find it without the advice.
    bool never = false;
    {
        std::lock_guard lock(mutex_);
        never = last_->number == 0;
    }
    if (never) sample();
    return take();
}

SnapshotPtr Watch::after(unsigned long number) {
    std::unique_lock lock(mutex_);
    watchers_++;
    Clock::time_point end = Clock::now() + quiet;
    auto over = [&] { return last_->number > number || stop::begun() || Clock::now() >= end; };
    while (!over()) changed_.wait_until(lock, std::min(end, Clock::now() + look_interval));
    watchers_--;
    return last_->number > number && !stop::begun() ? last_ : nullptr;
}

}  // namespace gateway::page
