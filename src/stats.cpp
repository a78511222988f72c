// The SQL functions that read and reset what was counted. The view testpool.stats puts units to the
// figures.

#include "disk.h"
#include "shmem/tally.h"

using namespace testpool;

namespace {

constexpr double milliseconds(int64 microseconds) {
    return static_cast<double>(microseconds) / 1000;
}

void put_row(ReturnSetInfo* result, const Tally& tally) {
    std::array<Datum, 29> values{};
    std::array<bool, 29> nulls{};
    size_t column = 0;
    auto put = [&](Datum value) { values[column++] = value; };
    auto put_text = [&](const char* text) {
        nulls[column] = text[0] == '\0';
        put(CStringGetTextDatum(text));
    };
    auto put_time = [&](TimestampTz time) {
        nulls[column] = time == 0;
        put(TimestampTzGetDatum(time));
    };
    put(Int32GetDatum(tally.of));
    for (int64 number : tally.counts) put(Int64GetDatum(number));
    for (double share : {0.50, 0.95, 0.99})
        put(Float8GetDatum(milliseconds(histogram::percentile(tally.waits, share))));
    int64 recently_waited_us = shmem::recently_waited_us(tally, GetCurrentTimestamp());
    put(Float8GetDatum(milliseconds(recently_waited_us)));
    put(Int32GetDatum(tally.gauges.most_leased));
    put(Int32GetDatum(tally.gauges.debt));
    put(Int64GetDatum(tally.gauges.debt_bytes));
    put_text(tally.refusal);
    put_text(tally.error);
    put_time(tally.failed_at);
    put_time(tally.used_at);
    put_time(tally.since);
    tuplestore_putvalues(result->setResult, result->setDesc, values.data(), nulls.data());
}

/// A row for each step in which something was counted.
void put_steps(ReturnSetInfo* result, const Tally& tally) {
    for (int step = 0; step < histogram::steps; step++) {
        if (tally.waits.counts[step] == 0) continue;
        std::array<Datum, 3> values{Int32GetDatum(tally.of),
                                    Int64GetDatum(histogram::first_of(step + 1) - 1),
                                    Int64GetDatum(tally.waits.counts[step])};
        std::array<bool, 3> nulls{};
        tuplestore_putvalues(result->setResult, result->setDesc, values.data(), nulls.data());
    }
}

}  // namespace

extern "C" {

PG_FUNCTION_INFO_V1(testpool_tallies);
Datum testpool_tallies(PG_FUNCTION_ARGS) {
    InitMaterializedSRF(fcinfo, 0);
    Tally tally;
    for (int i = 0; shmem::tally_at(i, &tally); i++)
        if (tally.of != 0) put_row(reinterpret_cast<ReturnSetInfo*>(fcinfo->resultinfo), tally);
    return Datum{0};
}

PG_FUNCTION_INFO_V1(testpool_wait_steps);
Datum testpool_wait_steps(PG_FUNCTION_ARGS) {
    InitMaterializedSRF(fcinfo, 0);
    Tally tally;
    for (int i = 0; shmem::tally_at(i, &tally); i++)
        if (tally.of != 0) put_steps(reinterpret_cast<ReturnSetInfo*>(fcinfo->resultinfo), tally);
    return Datum{0};
}

PG_FUNCTION_INFO_V1(testpool_free_space);
Datum testpool_free_space(PG_FUNCTION_ARGS) { PG_RETURN_INT64(disk::free_bytes(InvalidOid)); }

PG_FUNCTION_INFO_V1(testpool_reset_stats);
Datum testpool_reset_stats(PG_FUNCTION_ARGS) {
    shmem::reset_tallies();
    PG_RETURN_VOID();
}
}
