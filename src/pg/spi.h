// SQL from C++: statements prepared once a process, parameters as $1, rows as a loop.
#pragma once

#include "pg/server.h"

namespace testpool {

/// Opens SPI around `work`.
template <class Work>
void spi(Work work) {
    SPI_connect();
    work();
    SPI_finish();
}

/// A parameter or a null.
struct Value {
    Datum datum = 0;
    bool null = false;

    static Value of(bool v) { return {BoolGetDatum(v)}; }
    static Value of(int32 v) { return {Int32GetDatum(v)}; }
    static Value of(int64 v) { return {Int64GetDatum(v)}; }
    static Value of(Oid v) { return {ObjectIdGetDatum(v), !OidIsValid(v)}; }
    static Value of(const char* v) { return v ? Value{CStringGetTextDatum(v)} : Value{0, true}; }
    static Value time(TimestampTz v) { return {TimestampTzGetDatum(v), v == 0}; }
    static Value name(NameData& v) { return {NameGetDatum(&v)}; }
};

/// One row of a result, by column number from 1. Nulls read as zero or nullptr.
class Row {
  public:
    Row(HeapTuple tuple, TupleDesc desc) : tuple_(tuple), desc_(desc) {}

    TupleDesc desc() const { return desc_; }
    /// Of the row in its table, which the query has to have selected as the first column.
    ItemPointerData place() const {
        auto* place = reinterpret_cast<ItemPointer>(DatumGetPointer(datum(1)));
        return place != nullptr ? *place : ItemPointerData{};
    }
    Datum datum(int column, bool* null) const { return SPI_getbinval(tuple_, desc_, column, null); }
    Datum datum(int column) const {
        bool null = false;
        Datum d = SPI_getbinval(tuple_, desc_, column, &null);
        return null ? Datum{0} : d;
    }
    bool boolean(int column) const { return DatumGetBool(datum(column)); }
    int32 int4(int column) const { return DatumGetInt32(datum(column)); }
    int64 int8(int column) const {
        bool null = false;
        Datum d = SPI_getbinval(tuple_, desc_, column, &null);
        return null ? 0 : DatumGetInt64(d);
    }
    Oid oid(int column) const { return DatumGetObjectId(datum(column)); }
    TimestampTz time(int column) const { return int8(column); }
    /// Allocated in SPI's memory: copy it to keep it.
    const char* text(int column) const { return SPI_getvalue(tuple_, desc_, column); }

  private:
    HeapTuple tuple_;
    TupleDesc desc_;
};

/// A statement that is planned at its first use and kept for the life of the process.
template <size_t N>
class Statement {
  public:
    constexpr Statement(const char* text, std::array<Oid, N> types) : text_(text), types_(types) {}

    /// Executes inside spi(); returns the number of rows processed.
    uint64 run(std::array<Value, N> values) {
        prepare();
        std::array<Datum, N> datums{};
        std::array<char, N + 1> nulls{};
        for (size_t i = 0; i < N; i++) {
            datums[i] = values[i].datum;
            nulls[i] = values[i].null ? 'n' : ' ';
        }
        int rc = SPI_execute_plan(plan_, datums.data(), nulls.data(), false, 0);
        if (rc < 0) elog(ERROR, "SPI_execute_plan: %s", SPI_result_code_string(rc));
        return SPI_processed;
    }

    template <class Each>
    void each_row(std::array<Value, N> values, Each each) {
        uint64 rows = run(values);
        SPITupleTable* table = SPI_tuptable;
        for (uint64 i = 0; i < rows; i++) each(Row(table->vals[i], table->tupdesc));
    }

  private:
    void prepare() {
        if (plan_ != nullptr) return;
        SPIPlanPtr plan = SPI_prepare(text_, N, types_.data());
        if (plan == nullptr) elog(ERROR, "SPI_prepare: %s", SPI_result_code_string(SPI_result));
        SPI_keepplan(plan);
        plan_ = plan;
    }

    const char* text_;
    std::array<Oid, N> types_;
    SPIPlanPtr plan_ = nullptr;
};

}  // namespace testpool
