// How a row in memory becomes a row of a table, and back: a table is a list of columns, each a
// name, a member and the way that it is stored.
#pragma once

#include "pg/spi.h"
#include "state.h"

namespace testpool::catalog {

const char* name_of(TemplateState state);
const char* name_of(DatabaseState state);
/// False if no state has that name.
bool parse(const char* name, TemplateState& state);
bool parse(const char* name, DatabaseState& state);

template <class Item>
struct Column {
    const char* name;
    Value (*write)(const Item& item);
    /// False if testpool cannot have written that.
    bool (*read)(const State& state, Item& item, Datum datum, bool null);
};

/// As the member's type has it; an invalid OID, transaction or position and no text are null.
struct Plain {
    template <class Member>
    static Value write(Member member) {
        return Value::of(member);
    }
    static Value write(XLogRecPtr at) { return {LSNGetDatum(at), at == InvalidXLogRecPtr}; }
    static Value write(TemplateState state) { return Value::of(name_of(state)); }
    static Value write(DatabaseState state) { return Value::of(name_of(state)); }

    static bool read(const State& /*state*/, bool& member, Datum datum) {
        member = DatumGetBool(datum);
        return true;
    }
    static bool read(const State& /*state*/, int32& member, Datum datum) {
        member = DatumGetInt32(datum);
        return true;
    }
    static bool read(const State& /*state*/, int64& member, Datum datum) {
        member = DatumGetInt64(datum);
        return true;
    }
    static bool read(const State& /*state*/, Oid& member, Datum datum) {
        member = DatumGetObjectId(datum);
        return true;
    }
    static bool read(const State& /*state*/, XLogRecPtr& member, Datum datum) {
        member = DatumGetLSN(datum);
        return true;
    }
    static bool read(const State& state, const char*& member, Datum datum) {
        member = MemoryContextStrdup(state.memory, TextDatumGetCString(datum));
        return true;
    }
    template <class Enumeration>
    requires std::is_enum_v<Enumeration>
    static bool read(const State& /*state*/, Enumeration& member, Datum datum) {
        return parse(TextDatumGetCString(datum), member);
    }
};

/// A number of which zero says that there is none.
struct ZeroIsNull : Plain {
    template <class Member>
    static Value write(Member member) {
        return {Value::of(member).datum, member == 0};
    }
};

struct Time : Plain {
    static Value write(TimestampTz at) { return Value::time(at); }
};

struct Identifier {
    static Value write(const NameData& name) { return Value::name(const_cast<NameData&>(name)); }
    static bool read(const State& /*state*/, NameData& member, Datum datum) {
        member = *DatumGetName(datum);
        return true;
    }
};

/// Text that is no longer than a name; none is null.
struct ShortText {
    static Value write(const NameData& name) {
        return Value::of(NameStr(name)[0] != '\0' ? NameStr(name) : nullptr);
    }
    static bool read(const State& /*state*/, NameData& member, Datum datum) {
        strlcpy(NameStr(member), TextDatumGetCString(datum), NAMEDATALEN);
        return true;
    }
};

template <auto First, auto... Rest>
auto& member_of(auto& item) {
    if constexpr (sizeof...(Rest) == 0)
        return item.*First;
    else
        return member_of<Rest...>(item.*First);
}

template <class Item, class Member>
Item owner_of(Member Item::*);

/// A column for the member at the end of the path, `&Row::a, &A::b`.
template <class Stored, auto First, auto... Rest>
constexpr auto column(const char* name) {
    using Item = decltype(owner_of(First));
    return Column<Item>{
        name, [](const Item& item) { return Stored::write(member_of<First, Rest...>(item)); },
        [](const State& state, Item& item, Datum datum, bool null) {
            return null || Stored::read(state, member_of<First, Rest...>(item), datum);
        }};
}

}  // namespace testpool::catalog
