// The planner, rule by rule, and then as a whole: random pools, workers and sessions, against the
// promises that hold whatever happens.

#include "plan.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <random>
#include <vector>

namespace testpool::plan {

namespace {

constexpr Limits roomy{.pool_max = 10, .room = 100};
constexpr Step rest{};

Step chore(int index) { return {Step::chore, index}; }
Step clone(int index) { return {Step::clone, index}; }

/// A pool that has what it is meant to have, and for which nobody waits.
constexpr Pool full{.ready = 2,
                    .cloning = 0,
                    .total = 2,
                    .target = 2,
                    .waiting = 0,
                    .oldest_ticket = 0,
                    .paused = false};

Pool waited_for(std::uint64_t ticket) {
    Pool pool{};
    pool.waiting = 1;
    pool.oldest_ticket = ticket;
    return pool;
}

Pool with_target(int target) {
    Pool pool{};
    pool.target = target;
    return pool;
}

Step plan(std::vector<Urgency> urgencies, std::vector<Pool> pools, Limits limits = roomy) {
    std::vector<Chore> chores;
    for (Urgency urgency : urgencies) chores.push_back({urgency});
    return next(chores, pools, limits);
}

using enum Urgency;

constexpr Limits busy{.pool_max = 10, .room = 100, .slow = false, .drops_due = false};

// --- slow work ----------------------------------------------------------------------------------

Step plan_of(std::vector<Chore> chores, std::vector<Pool> pools, Limits limits) {
    return next(chores, pools, limits);
}

Chore of_pool(int pool, Chore chore) {
    chore.pool = pool;
    return chore;
}

TEST(Plan, slow_work_for_nobody_does_not_take_the_last_free_worker) {
    Pool large = with_target(1);
    large.slow = true;
    EXPECT_EQ(plan_of({Chore{cleanup, true}}, {}, busy), rest);
    EXPECT_EQ(plan_of({Chore{unfinished, true, true}}, {}, busy), rest);
    EXPECT_EQ(plan_of({}, {large}, busy), rest);
}

TEST(Plan, no_worker_is_idle_while_somebody_waits_for_slow_work) {
    Pool large = waited_for(1);
    large.slow = true;
    EXPECT_EQ(plan_of({Chore{awaited, true}}, {}, busy), chore(0));
    EXPECT_EQ(plan_of({}, {large}, busy), clone(0));
    large.cloning = large.total = 1;
    EXPECT_EQ(plan_of({of_pool(0, Chore{unfinished, true, true})}, {large}, busy), chore(0));
}

TEST(Plan, quick_work_goes_on_beside_slow_work) {
    EXPECT_EQ(plan_of({Chore{cleanup, true}, Chore{rewind}}, {}, busy), chore(1));
    EXPECT_EQ(plan_of({Chore{cleanup, true}}, {waited_for(2)}, busy), clone(0));
}

TEST(Plan, drops_wait_until_they_are_due) {
    Limits not_due{.pool_max = 10, .room = 100, .slow = true, .drops_due = false};
    EXPECT_EQ(plan_of({Chore{cleanup, true}}, {full}, not_due), rest);
    EXPECT_EQ(plan_of({Chore{cleanup, true}}, {full}, roomy), chore(0));
}

TEST(Plan, large_copies_and_drops_take_turns_while_too_much_is_to_be_dropped) {
    Limits drop_first = roomy;
    drop_first.drop_first = true;
    Pool large = waited_for(1);
    large.slow = true;
    Chore drop{cleanup, true};
    Chore build{awaited, true, true};
    EXPECT_EQ(plan_of({build, drop}, {}, drop_first), chore(1));
    EXPECT_EQ(plan_of({drop}, {large}, drop_first), chore(0));
    EXPECT_EQ(plan_of({build, drop}, {large}, roomy), chore(0));
    EXPECT_EQ(plan_of({build}, {large}, drop_first), chore(0));
    EXPECT_EQ(plan_of({}, {large}, drop_first), clone(0));
}

TEST(Plan, nothing_else_waits_for_a_drop_while_too_much_is_to_be_dropped) {
    Limits drop_first = roomy;
    drop_first.drop_first = true;
    Chore drop{cleanup, true};
    EXPECT_EQ(plan_of({drop, Chore{awaited}}, {}, drop_first), chore(1));
    EXPECT_EQ(plan_of({drop, Chore{awaited, true}}, {}, drop_first), chore(1));  // a seal
    EXPECT_EQ(plan_of({drop, Chore{rewind, true}}, {}, drop_first), chore(1));
    EXPECT_EQ(plan_of({drop}, {waited_for(1)}, drop_first), clone(0));
}

TEST(Plan, a_pool_that_lacks_room_has_something_dropped_at_once) {
    Limits no_room{.pool_max = 10, .room = 0, .slow = true, .drops_due = false};
    EXPECT_EQ(plan_of({Chore{cleanup, true}}, {with_target(2)}, no_room), chore(0));
    EXPECT_EQ(plan_of({Chore{cleanup, true}}, {full}, no_room), rest);
}

TEST(Plan, nothing_is_cloned_beyond_the_bytes_that_are_left) {
    Pool pool = waited_for(1);
    pool.bytes = 100;
    EXPECT_EQ(plan_of({}, {pool}, {.pool_max = 10, .room = 100, .bytes = 99}), rest);
    EXPECT_EQ(plan_of({}, {pool}, {.pool_max = 10, .room = 100, .bytes = 100}), clone(0));
}

// --- how much is kept ready ---------------------------------------------------------------------

constexpr Demand idle{.pool_size = 2,
                      .pool_max = 10,
                      .leased = 0,
                      .peak = 0,
                      .acquires_per_second = 0,
                      .seconds_to_prepare = 1};

TEST(Target, an_idle_pool_shrinks_to_its_size) { EXPECT_EQ(target(idle), 2); }

TEST(Target, as_many_stay_as_were_in_use_at_once) {
    Demand demand = idle;
    demand.peak = 7;
    EXPECT_EQ(target(demand), 7);
    demand.leased = 4;
    EXPECT_EQ(target(demand), 3);
    demand.leased = 7;
    EXPECT_EQ(target(demand), 2);
}

TEST(Target, a_pool_grows_ahead_of_what_is_taken_while_a_clone_is_made) {
    Demand demand = idle;
    demand.acquires_per_second = 2;
    demand.seconds_to_prepare = 2.2;
    EXPECT_EQ(target(demand), 7);  // 4.4 and a margin of 2.1
    demand.seconds_to_prepare = 0.002;
    EXPECT_EQ(target(demand), 2);
}

TEST(Target, no_pool_is_meant_to_exceed_its_maximum) {
    Demand demand = idle;
    demand.acquires_per_second = 1000;
    EXPECT_EQ(target(demand), 10);
    demand.leased = 8;
    EXPECT_EQ(target(demand), 2);
    demand.leased = 12;
    EXPECT_EQ(target(demand), 0);
}

TEST(Target, a_round_of_acquire_and_release_drops_nothing) {
    for (double rate : {0.0, 0.3, 2.0})
        for (int leased : {0, 1, 2, 3}) {
            Demand demand = idle;
            demand.pool_max = 20;
            demand.acquires_per_second = rate;
            demand.peak = 3;
            demand.leased = demand.peak;
            int when_all_were_leased = target(demand) + demand.peak;
            demand.leased = leased;
            EXPECT_LE(when_all_were_leased - leased, keep(demand)) << "rate " << rate;
            EXPECT_LE(target(demand), keep(demand));
        }
    EXPECT_EQ(keep(idle), idle.pool_size);
}

TEST(Debt, is_paid_when_it_is_quiet_or_needed_or_too_much) {
    constexpr Debt little{
        .databases = 1, .bytes = 10, .bytes_max = 100, .quiet = false, .needed = false};
    EXPECT_FALSE(drops_due(little));
    EXPECT_FALSE(overdrawn(little));
    Debt debt = little;
    debt.quiet = true;
    EXPECT_TRUE(drops_due(debt));
    EXPECT_FALSE(overdrawn(debt));
    debt = little;
    debt.needed = true;
    EXPECT_TRUE(drops_due(debt));
    debt = little;
    debt.bytes = 101;
    EXPECT_TRUE(drops_due(debt));
    EXPECT_TRUE(overdrawn(debt));
    debt = little;
    debt.databases = 17;
    EXPECT_TRUE(drops_due(debt));
    EXPECT_FALSE(overdrawn(debt)) << "many small ones fill no disk: nobody waits for their drops";
}

// --- sealing again ------------------------------------------------------------------------------

TEST(Plan, a_template_is_sealed_again_before_anything_is_cloned_for_later) {
    EXPECT_EQ(plan({unfinished, upkeep, cleanup}, {with_target(2)}), chore(1));
    EXPECT_EQ(plan({upkeep}, {with_target(2)}), chore(0));
}

TEST(Plan, nobody_who_waits_has_to_wait_until_another_template_is_sealed_again) {
    EXPECT_EQ(plan({upkeep, awaited}, {}), chore(1));
    EXPECT_EQ(plan({upkeep, rewind}, {}), chore(1));
    EXPECT_EQ(plan({upkeep}, {waited_for(1)}), clone(0));
}

TEST(Plan, sealing_again_leaves_a_worker_free) {
    EXPECT_EQ(plan_of({Chore{upkeep, true}}, {with_target(1)}, busy), clone(0));
    EXPECT_EQ(plan_of({Chore{upkeep, true}}, {}, busy), rest);
}

// --- nothing to do ------------------------------------------------------------------------------

TEST(Plan, rests_when_there_is_nothing_at_all) { EXPECT_EQ(plan({}, {}), rest); }

TEST(Plan, rests_when_every_pool_is_full) { EXPECT_EQ(plan({}, {full, full}), rest); }

TEST(Plan, rests_when_a_pool_has_more_than_its_target) {
    Pool pool = full;
    pool.target = 1;
    EXPECT_EQ(plan({}, {pool}), rest);
}

TEST(Plan, rests_when_the_missing_clones_are_being_made) {
    Pool pool = full;
    pool.ready = 0;
    pool.cloning = 2;
    EXPECT_EQ(plan({}, {pool}), rest);
}

TEST(Plan, makes_nothing_for_a_pool_whose_target_is_zero) {
    EXPECT_EQ(plan({}, {with_target(0)}), rest);
}

// --- work that a session waits for --------------------------------------------------------------

TEST(Plan, awaited_work_comes_before_a_clone_that_is_waited_for) {
    EXPECT_EQ(plan({awaited}, {waited_for(1)}), chore(0));
}

TEST(Plan, awaited_work_comes_before_every_other_chore) {
    EXPECT_EQ(plan({cleanup, unfinished, awaited}, {}), chore(2));
}

TEST(Plan, the_first_awaited_chore_is_taken) {
    EXPECT_EQ(plan({cleanup, awaited, awaited}, {}), chore(1));
}

TEST(Plan, awaited_work_needs_no_room) {
    EXPECT_EQ(plan({awaited}, {}, {.pool_max = 1, .room = 0}), chore(0));
}

// --- rewinds ------------------------------------------------------------------------------------

TEST(Plan, a_rewind_comes_before_a_clone_for_those_who_wait) {
    Pool pool = waited_for(1);
    pool.waiting = 2;
    pool.cloning = pool.total = 1;
    EXPECT_EQ(plan_of({of_pool(0, {rewind})}, {pool}, roomy), chore(0));
}

TEST(Plan, a_rewind_that_nobody_waits_for_comes_after_a_clone_that_somebody_does) {
    EXPECT_EQ(plan({rewind}, {waited_for(1)}), clone(0));
    EXPECT_EQ(plan_of({of_pool(1, {rewind})}, {waited_for(1), full}, roomy), clone(0));
}

TEST(Plan, of_two_rewinds_that_is_done_first_that_somebody_waits_for) {
    Pool pool = waited_for(9);
    pool.cloning = pool.total = 1;
    EXPECT_EQ(plan_of({of_pool(0, {rewind}), of_pool(1, {rewind})}, {full, pool}, roomy), chore(1));
    Pool longer = waited_for(3);
    longer.cloning = longer.total = 1;
    EXPECT_EQ(plan_of({of_pool(0, {rewind}), of_pool(1, {rewind})}, {pool, longer}, roomy),
              chore(1));
}

TEST(Plan, a_rewind_overtakes_a_copy_that_was_waited_for_longer_but_not_for_ever) {
    Pool quick = waited_for(50);
    quick.cloning = quick.total = 1;
    EXPECT_EQ(plan_of({of_pool(1, {rewind})}, {waited_for(1), quick}, roomy), chore(0));
    quick.oldest_ticket = 500;
    EXPECT_EQ(plan_of({of_pool(1, {rewind})}, {waited_for(1), quick}, roomy), clone(0));
}

TEST(Plan, a_rewind_comes_after_awaited_work) { EXPECT_EQ(plan({rewind, awaited}, {}), chore(1)); }

TEST(Plan, a_rewind_comes_before_unfinished_clones_and_drops) {
    EXPECT_EQ(plan({cleanup, unfinished, rewind}, {}), chore(2));
}

TEST(Plan, a_rewind_needs_no_room_and_no_waiting_session) {
    EXPECT_EQ(plan({rewind}, {full}, {.pool_max = 1, .room = 0}), chore(0));
}

TEST(Plan, the_first_rewind_is_taken) { EXPECT_EQ(plan({cleanup, rewind, rewind}, {}), chore(1)); }

// --- a clone for the pool whose acquire has waited longest --------------------------------------

TEST(Plan, a_session_that_waits_gets_a_clone_even_if_the_target_is_zero) {
    EXPECT_EQ(plan({}, {waited_for(1)}), clone(0));
}

TEST(Plan, the_longest_waiting_acquire_is_served_first) {
    EXPECT_EQ(plan({}, {waited_for(9), waited_for(3), waited_for(5)}), clone(1));
}

TEST(Plan, the_ticket_counts_and_not_how_many_wait) {
    Pool crowd = waited_for(9);
    crowd.waiting = 50;
    EXPECT_EQ(plan({}, {crowd, waited_for(3)}), clone(1));
}

TEST(Plan, waiting_sessions_come_before_targets) {
    EXPECT_EQ(plan({}, {with_target(8), waited_for(1)}), clone(1));
}

TEST(Plan, a_clone_that_was_begun_for_those_who_wait_comes_before_new_ones) {
    Pool pool = waited_for(1);
    pool.cloning = pool.total = 1;
    std::vector<Chore> chores = {of_pool(0, {unfinished}), of_pool(1, {unfinished})};
    EXPECT_EQ(plan_of(chores, {full, pool, waited_for(2)}, roomy), chore(1));
    EXPECT_EQ(plan_of(chores, {full, waited_for(5), waited_for(2)}, roomy), clone(2));
}

TEST(Plan, waiting_sessions_come_before_unfinished_clones_and_drops) {
    EXPECT_EQ(plan({unfinished, cleanup}, {waited_for(1)}), clone(0));
}

TEST(Plan, a_clone_in_the_making_counts_for_the_session_that_waits) {
    Pool pool = waited_for(1);
    pool.cloning = pool.total = 1;
    EXPECT_EQ(plan({}, {pool}), rest);
}

TEST(Plan, a_ready_clone_counts_for_the_session_that_waits) {
    Pool pool = waited_for(1);
    pool.ready = pool.total = 1;
    EXPECT_EQ(plan({}, {pool}), rest);
}

TEST(Plan, one_clone_in_the_making_does_not_serve_two_sessions) {
    Pool pool = waited_for(1);
    pool.waiting = 2;
    pool.cloning = pool.total = 1;
    EXPECT_EQ(plan({}, {pool}), clone(0));
}

TEST(Plan, a_longer_waiting_session_that_is_provided_for_does_not_hold_up_the_next) {
    Pool provided = waited_for(1);
    provided.cloning = provided.total = 1;
    EXPECT_EQ(plan({}, {provided, waited_for(2)}), clone(1));
}

TEST(Plan, a_longer_waiting_pool_that_may_not_grow_does_not_hold_up_the_next) {
    Pool stuck = waited_for(1);
    stuck.total = roomy.pool_max;
    EXPECT_EQ(plan({cleanup}, {stuck, waited_for(2)}), clone(1));
}

// --- bounds of every clone ----------------------------------------------------------------------

TEST(Plan, a_pool_grows_up_to_pool_max) {
    Pool pool = waited_for(1);
    pool.total = roomy.pool_max - 1;
    EXPECT_EQ(plan({}, {pool}), clone(0));
}

TEST(Plan, a_pool_never_grows_beyond_pool_max) {
    Pool pool = waited_for(1);
    pool.total = roomy.pool_max;
    EXPECT_EQ(plan({}, {pool}), rest);
}

TEST(Plan, a_pool_above_a_lowered_pool_max_does_not_grow) {
    Pool pool = waited_for(1);
    pool.total = roomy.pool_max + 5;
    EXPECT_EQ(plan({}, {pool}), rest);
}

TEST(Plan, a_target_above_pool_max_ends_at_pool_max) {
    Pool pool = with_target(20);
    pool.ready = pool.total = roomy.pool_max;
    EXPECT_EQ(plan({}, {pool}), rest);
}

TEST(Plan, the_last_room_is_used) {
    EXPECT_EQ(plan({}, {waited_for(1)}, {.pool_max = 10, .room = 1}), clone(0));
    EXPECT_EQ(plan({}, {with_target(1)}, {.pool_max = 10, .room = 1}), clone(0));
}

TEST(Plan, without_room_nothing_is_cloned) {
    EXPECT_EQ(plan({}, {waited_for(1), with_target(1)}, {.pool_max = 10, .room = 0}), rest);
}

TEST(Plan, room_below_zero_is_no_room) {
    EXPECT_EQ(plan({}, {waited_for(1)}, {.pool_max = 10, .room = -1}), rest);
}

TEST(Plan, a_paused_pool_is_left_alone) {
    Pool pool = waited_for(1);
    pool.target = 5;
    pool.paused = true;
    EXPECT_EQ(plan({}, {pool}), rest);
}

TEST(Plan, a_paused_pool_does_not_hold_up_the_others) {
    Pool paused = waited_for(1);
    paused.paused = true;
    EXPECT_EQ(plan({}, {paused, waited_for(2)}), clone(1));
    paused = with_target(9);
    paused.paused = true;
    EXPECT_EQ(plan({}, {paused, with_target(1)}), clone(1));
}

// --- room for a pool that is full while somebody waits ------------------------------------------

TEST(Plan, a_drop_makes_room_in_a_full_pool_that_is_waited_for) {
    Pool pool = waited_for(1);
    pool.total = roomy.pool_max;
    std::vector<Chore> chores = {{unfinished}, of_pool(1, {cleanup}), of_pool(0, {cleanup})};
    EXPECT_EQ(plan_of(chores, {pool, with_target(3)}, roomy), chore(2));
}

TEST(Plan, the_drop_of_another_pools_database_makes_no_room_in_a_full_pool) {
    Pool pool = waited_for(1);
    pool.total = roomy.pool_max;
    EXPECT_EQ(plan_of({of_pool(1, {cleanup}), {unfinished}}, {pool, full}, roomy), chore(1));
}

TEST(Plan, a_drop_that_somebody_waits_for_takes_the_last_free_worker_unless_one_is_under_way) {
    Limits no_room = busy;
    no_room.room = 0;
    EXPECT_EQ(plan_of({Chore{cleanup, true}}, {waited_for(1)}, no_room), chore(0));
    no_room.dropping = 1;
    EXPECT_EQ(plan_of({Chore{cleanup, true}}, {waited_for(1)}, no_room), rest);
}

TEST(Plan, a_drop_makes_room_when_there_are_too_many_databases) {
    EXPECT_EQ(plan({unfinished, cleanup}, {waited_for(1)}, {.pool_max = 10, .room = 0}), chore(1));
}

TEST(Plan, without_anything_to_drop_the_other_rules_go_on) {
    Pool pool = waited_for(1);
    pool.total = roomy.pool_max;
    EXPECT_EQ(plan({unfinished}, {pool}), chore(0));
    EXPECT_EQ(plan({}, {pool, with_target(1)}), clone(1));
}

TEST(Plan, a_full_pool_that_is_provided_for_hurries_no_drop) {
    Pool pool = waited_for(1);
    pool.cloning = 1;
    pool.total = roomy.pool_max;
    EXPECT_EQ(plan({cleanup, unfinished}, {pool}), chore(1));
}

TEST(Plan, a_paused_pool_hurries_no_drop) {
    Pool pool = waited_for(1);
    pool.total = roomy.pool_max;
    pool.paused = true;
    EXPECT_EQ(plan({cleanup, unfinished}, {pool}), chore(1));
}

// --- clones that were begun ---------------------------------------------------------------------

TEST(Plan, an_unfinished_clone_comes_before_new_ones) {
    EXPECT_EQ(plan({unfinished}, {with_target(5)}), chore(0));
}

TEST(Plan, an_unfinished_clone_comes_before_drops) {
    EXPECT_EQ(plan({cleanup, unfinished}, {}), chore(1));
}

// --- the pool that is furthest below its target -------------------------------------------------

TEST(Plan, a_pool_is_filled_up_to_its_target) {
    Pool pool = full;
    pool.ready = pool.total = 1;
    EXPECT_EQ(plan({}, {pool}), clone(0));
}

TEST(Plan, the_pool_furthest_below_its_target_is_filled_first) {
    EXPECT_EQ(plan({}, {with_target(1), with_target(4), with_target(2)}), clone(1));
}

TEST(Plan, of_two_pools_equally_far_below_the_first_is_filled) {
    EXPECT_EQ(plan({}, {with_target(2), with_target(2)}), clone(0));
}

TEST(Plan, clones_for_waiting_sessions_come_on_top_of_the_target) {
    Pool pool = full;
    pool.waiting = 1;
    EXPECT_EQ(plan({}, {pool}), clone(0)) << "one of the two ready clones is as good as taken";
}

TEST(Plan, filling_a_pool_comes_before_drops) {
    EXPECT_EQ(plan({cleanup}, {with_target(1)}), clone(0));
}

// --- drops --------------------------------------------------------------------------------------

TEST(Plan, drops_are_done_when_there_is_nothing_better) {
    EXPECT_EQ(plan({cleanup, cleanup}, {full}), chore(0));
}

TEST(Plan, drops_go_on_without_room_and_without_waiting_sessions) {
    EXPECT_EQ(plan({cleanup}, {with_target(3)}, {.pool_max = 10, .room = 0}), chore(0));
}

// --- the schedule as a whole --------------------------------------------------------------------

/// A small world: sessions that acquire and release, and workers that do what the planner says.
class World {
  public:
    explicit World(unsigned seed) : random_(seed) {
        limits_.pool_max = between(1, 6);
        max_databases_ = between(1, 20);
        workers_ = between(1, 4);
        pools_.resize(between(1, 4));
        for (Pool& pool : pools_) {
            pool.target = between(0, 4);
            pool.slow = between(0, 2) == 0;
        }
        leased_.resize(pools_.size());
        tickets_.resize(pools_.size());
    }

    /// Something happens at random: a session asks or is done, a worker takes or ends a job.
    void live() {
        int pool = between(0, static_cast<int>(pools_.size()) - 1);
        switch (between(0, 7)) {
            case 0:
                ask(pool);
                break;
            case 1:
                if (leased_[pool] > 0) give_back(pool);
                break;
            case 2:
                chores_.push_back({awaited, -1});
                break;
            case 3:
                crash_a_worker();
                break;
            case 4:
            case 5:
                finish_some();
                break;
            default:
                work();
                break;
        }
        check();
    }

    /// Nobody comes any more, and all leases are returned whenever they are handed out.
    /// True if the workers come to rest within the time that a sane schedule needs.
    bool settle() {
        for (int turn = 0; turn < 10'000; turn++) {
            for (size_t i = 0; i < pools_.size(); i++)
                while (leased_[i] > 0) give_back(static_cast<int>(i));
            work();
            check();
            if (running_.empty()) return true;
            finish_some();
            check();
        }
        return false;
    }

    /// Sessions that wait although there is room for them.
    int forgotten() const {
        int number = 0;
        for (const Pool& pool : pools_)
            if (room() > 0 && pool.total < limits_.pool_max) number += pool.waiting;
        return number;
    }
    int waiting() const {
        int number = 0;
        for (const Pool& pool : pools_) number += pool.waiting;
        return number;
    }
    int below_target() const {
        int number = 0;
        for (const Pool& pool : pools_)
            if (room() > 0 && pool.total < limits_.pool_max && pool.ready < pool.target) number++;
        return number;
    }
    int room() const {
        int used = 0;
        for (const Pool& pool : pools_) used += pool.total;
        return max_databases_ - used;
    }
    bool has_chores() const { return !chores_.empty(); }
    bool has_space_for_all() const {
        int most = 0;
        for (const Pool& pool : pools_) most += std::max(pool.target, 1);
        return max_databases_ > most;
    }

  private:
    struct Work {
        Urgency urgency;
        int pool;  // -1: none
    };

    int between(int low, int high) { return std::uniform_int_distribution(low, high)(random_); }

    void ask(int pool) {
        tickets_[pool].push_back(++last_ticket_);
        serve(pool);
    }

    void serve(int i) {
        Pool& pool = pools_[i];
        while (pool.ready > 0 && !tickets_[i].empty()) {
            pool.ready--;
            leased_[i]++;
            tickets_[i].pop_front();
        }
        pool.waiting = static_cast<int>(tickets_[i].size());
        pool.oldest_ticket = tickets_[i].empty() ? 0 : tickets_[i].front();
    }

    /// A used clone is rewound, and soon ready again, or dropped.
    void give_back(int pool) {
        leased_[pool]--;
        bool rewound = between(0, 1) == 1;
        if (rewound) pools_[pool].cloning++;
        chores_.push_back({rewound ? rewind : cleanup, pool});
    }

    void crash_a_worker() {
        if (running_.empty()) return;
        chores_.push_back(running_.front());  // its clone is unfinished, its drop still to do
        running_.pop_front();
    }

    Chore chore_of(const Work& work) const {
        bool slow =
            work.urgency == cleanup || (work.urgency == unfinished && pools_.at(work.pool).slow);
        return {work.urgency, slow, slow && work.urgency == unfinished, work.pool};
    }

    int slow_jobs() const {
        return static_cast<int>(
            std::ranges::count_if(running_, [&](const Work& w) { return chore_of(w).slow; }));
    }

    /// As the pool does: an idle clone goes if somebody else needs its room.
    void make_room() {
        bool lacking = std::ranges::any_of(pools_, [&](const Pool& pool) {
            return pool.waiting > pool.cloning && pool.total < limits_.pool_max;
        });
        auto leaves = [](const Work& work) { return work.urgency == cleanup; };
        if (!lacking || room() > 0 || std::ranges::any_of(chores_, leaves) ||
            std::ranges::any_of(running_, leaves))
            return;
        for (size_t i = 0; i < pools_.size(); i++) {
            if (pools_[i].ready == 0) continue;
            pools_[i].ready--;
            chores_.push_back({cleanup, static_cast<int>(i)});
            return;
        }
    }

    /// Somebody waits for a clone that can be made, or rewound.
    bool somebody_could_be_served() const {
        for (size_t i = 0; i < pools_.size(); i++) {
            const Pool& pool = pools_[i];
            if (pool.waiting == 0) continue;
            bool room_for_more = room() > 0 && pool.total < limits_.pool_max;
            if (room_for_more && pool.waiting > pool.cloning) return true;
            for (const Work& work : chores_)
                if (work.pool == static_cast<int>(i) && work.urgency != cleanup) return true;
        }
        return false;
    }

    /// Every free worker takes what the planner says, until it rests.
    void work() {
        make_room();
        while (static_cast<int>(running_.size()) < workers_) {
            std::vector<Chore> chores;
            bool awaited_is_there = false;
            for (const Work& work : chores_) {
                chores.push_back(chore_of(work));
                awaited_is_there |= work.urgency == awaited;
            }
            limits_.room = room();
            limits_.slow = slow_jobs() < std::max(1, workers_ - 1);
            limits_.dropping =
                static_cast<int>(std::ranges::count(running_, cleanup, &Work::urgency));
            Step step = next(chores, pools_, limits_);
            if (step.kind == Step::rest) {
                EXPECT_FALSE(awaited_is_there) << "rests while a session waits for a chore";
                EXPECT_FALSE(somebody_could_be_served()) << "rests while a session waits";
                EXPECT_TRUE(chores.empty() || !limits_.slow) << "rests while there is a chore";
                return;
            }
            if (awaited_is_there) {
                ASSERT_EQ(step.kind, Step::chore);
                ASSERT_EQ(chores.at(step.index).urgency, awaited);
            }
            take(step);
        }
    }

    void take(Step step) {
        if (step.kind == Step::chore) {
            running_.push_back(chores_.at(step.index));
            chores_.erase(chores_.begin() + step.index);
            return;
        }
        Pool& pool = pools_.at(step.index);
        pool.cloning++;
        pool.total++;
        running_.push_back({unfinished, step.index});
    }

    void finish_some() {
        if (running_.empty()) return;
        int which = between(0, static_cast<int>(running_.size()) - 1);
        Work work = running_[which];
        running_.erase(running_.begin() + which);
        if (work.pool < 0) return;
        Pool& pool = pools_[work.pool];
        if (work.urgency != cleanup) {
            pool.cloning--;
            pool.ready++;
            serve(work.pool);
        } else {
            pool.total--;
        }
    }

    void check() const {
        ASSERT_GE(room(), 0) << "more databases than there may be";
        for (const Pool& pool : pools_) ASSERT_LE(pool.total, limits_.pool_max);
    }

    std::mt19937 random_;
    Limits limits_{};
    int max_databases_;
    int workers_;
    std::vector<Pool> pools_;
    std::vector<int> leased_;
    std::vector<std::deque<std::uint64_t>> tickets_;
    std::uint64_t last_ticket_ = 0;
    std::vector<Work> chores_;
    std::deque<Work> running_;
};

class RandomWorld : public testing::TestWithParam<int> {};

constexpr int worlds_a_test = 100;

TEST_P(RandomWorld, keeps_its_promises_and_comes_to_rest) {
    for (int i = 0; i < worlds_a_test; i++) {
        unsigned seed = GetParam() * worlds_a_test + i;
        SCOPED_TRACE(testing::Message() << "seed " << seed);
        World world(seed);
        for (int step = 0; step < 300; step++) {
            world.live();
            ASSERT_FALSE(HasFailure());
        }
        ASSERT_TRUE(world.settle()) << "the workers never rest";
        EXPECT_FALSE(world.has_chores());
        EXPECT_EQ(world.forgotten(), 0) << "sessions wait although there is room";
        EXPECT_EQ(world.below_target(), 0) << "a pool is not filled although there is room";
        if (world.has_space_for_all()) {
            EXPECT_EQ(world.waiting(), 0) << "not everybody was served";
        }
        ASSERT_FALSE(HasFailure());
    }
}

INSTANTIATE_TEST_SUITE_P(Seeds, RandomWorld, testing::Range(0, 20));

}  // namespace

}  // namespace testpool::plan
