// The tables testpool.template and testpool.database: only here are they read and written. To add a
// column, add it to the extension's script and, last but for the checksum, to the list here.

#include "catalog.h"

#include "catalog/columns.h"
#include "log.h"
#include "pg/newest.h"

namespace testpool::catalog {

namespace {

constexpr std::array template_states = {"building", "finalized", "discarded"};
constexpr std::array database_states = {"cloning", "ready",     "leased",
                                        "kept",    "recycling", "failed"};

template <class State, size_t N>
bool parse_as(const std::array<const char*, N>& names, const char* name, State& state) {
    for (size_t i = 0; i < N; i++) {
        if (strcmp(names[i], name) != 0) continue;
        state = static_cast<State>(i);
        return true;
    }
    return false;
}

/// A row tells testpool which database it may hand out and drop. It is believed only with this,
/// which binds the OID to the row and to the server: not if somebody else wrote either, nor if it
/// was restored from another server's dump. `of`: a clone's template.
int64 checksum_of(int64 id, int64 of, Oid oid) {
    std::array<uint64, 4> parts = {GetSystemIdentifier(), static_cast<uint64>(id),
                                   static_cast<uint64>(of), oid};
    return static_cast<int64>(hash_bytes_extended(
        reinterpret_cast<const unsigned char*>(parts.data()), sizeof(parts), 0));
}

int64 checksum_of(const Template& t) { return checksum_of(t.id, -1, t.oid); }
int64 checksum_of(const Database& d) { return checksum_of(d.id, d.of->id, d.oid); }

template <class Item>
Value write_checksum(const Item& item) {
    return Value::of(checksum_of(item));
}

template <class Item>
bool read_checksum(const State& /*state*/, Item& item, Datum datum, bool null) {
    return !null && DatumGetInt64(datum) == checksum_of(item);
}

Value write_template(const Database& d) { return Value::of(d.of->id); }

bool read_template(const State& state, Database& d, Datum datum, bool null) {
    d.of = null ? nullptr : find_template(state, DatumGetInt32(datum));
    return d.of != nullptr;
}

// ---- the columns, in the order of the tables --------------------------------------------------

constexpr std::array template_columns = {
    column<Plain, &Template::id>("id"),
    column<Plain, &Template::hash>("hash"),
    column<Plain, &Template::name>("name"),
    column<Plain, &Template::state>("state"),
    column<Plain, &Template::oid>("oid"),
    column<Identifier, &Template::database>("database"),
    column<Plain, &Template::exists>("exists"),
    column<Plain, &Template::sealing>("sealing"),
    column<Plain, &Template::owner>("owner"),
    column<ZeroIsNull, &Template::base>("base"),
    column<ZeroIsNull, &Template::builder, &Holder::session, &Session::pid>("pid"),
    column<Time, &Template::builder, &Holder::session, &Session::since>("session_start"),
    column<ShortText, &Template::builder, &Holder::application>("application"),
    column<ShortText, &Template::builder, &Holder::client>("client"),
    column<Time, &Template::claimed_at>("claimed_at"),
    column<Time, &Template::finalized_at>("finalized_at"),
    column<Time, &Template::discarded_at>("discarded_at"),
    column<ZeroIsNull, &Template::bytes>("bytes"),
    column<Plain, &Template::seal, &Seal::at>("sealed_at"),
    column<Plain, &Template::seal, &Seal::frozen_xid>("frozen_xid"),
    column<Plain, &Template::seal, &Seal::min_mxid>("min_mxid"),
    column<ZeroIsNull, &Template::seal, &Seal::fingerprint>("fingerprint"),
    column<ZeroIsNull, &Template::seal, &Seal::files>("files"),
    column<Plain, &Template::clone_strategy>("clone_strategy"),
    column<Plain, &Template::strategy_reason>("strategy_reason"),
    column<Plain, &Template::reason>("reason"),
    column<Plain, &Template::failures>("failures"),
    column<Time, &Template::retry_at>("retry_at"),
    column<Plain, &Template::warning>("warning"),
    column<Plain, &Template::seal, &Seal::by>("sealed_by"),
    column<Plain, &Template::drift>("drift"),
    column<Time, &Template::resealed_at>("resealed_at"),
    Column<Template>{"checksum", write_checksum, read_checksum},
};

constexpr std::array database_columns = {
    column<Plain, &Database::id>("id"),
    Column<Database>{"template", write_template, read_template},
    column<Plain, &Database::oid>("oid"),
    column<Identifier, &Database::name>("name"),
    column<Plain, &Database::state>("state"),
    column<Plain, &Database::generation>("generation"),
    column<Plain, &Database::role>("role"),
    column<ZeroIsNull, &Database::holder, &Holder::session, &Session::pid>("pid"),
    column<Time, &Database::holder, &Holder::session, &Session::since>("session_start"),
    column<ShortText, &Database::holder, &Holder::application>("application"),
    column<ShortText, &Database::holder, &Holder::client>("client"),
    column<Time, &Database::created_at>("created_at"),
    column<Time, &Database::ready_at>("ready_at"),
    column<Time, &Database::leased_at>("leased_at"),
    column<Plain, &Database::reason>("reason"),
    column<Plain, &Database::error>("error"),
    column<Time, &Database::retry_at>("retry_at"),
    column<Plain, &Database::recycled>("recycled"),
    column<Plain, &Database::recycle_us>("recycle_us"),
    column<Plain, &Database::relations>("relations"),
    column<Plain, &Database::pages>("pages"),
    column<Plain, &Database::clone_reason>("clone_reason"),
    column<Plain, &Database::sessions_ended>("sessions_ended"),
    column<Plain, &Database::named>("named"),
    column<ShortText, &Database::known_as>("known_as"),
    column<Plain, &Database::rewindable>("rewindable"),
    Column<Database>{"checksum", write_checksum, read_checksum},
};

/// A table, how its rows are read, and where it and its sequence and its index are.
template <class Item>
struct Table;

template <>
struct Table<Template> {
    static constexpr const std::array<Column<Template>, template_columns.size()>& columns =
        template_columns;
    static constexpr const char* name = "template";
    static constexpr const char* key = "template_pkey";
};

template <>
struct Table<Database> {
    static constexpr const std::array<Column<Database>, database_columns.size()>& columns =
        database_columns;
    static constexpr const char* name = "database";
    static constexpr const char* key = "database_pkey";
};

// ---- reading ------------------------------------------------------------------------------------

// The first column is where the row lies.
Statement<0> select_templates{"SELECT t.ctid, t.* FROM testpool.template t ORDER BY id", {}};
Statement<0> select_databases{"SELECT d.ctid, d.* FROM testpool.database d ORDER BY id", {}};
Statement<1> strike_template{"DELETE FROM testpool.template t WHERE ctid = $1 RETURNING t::text",
                             {TIDOID}};
Statement<1> strike_database{"DELETE FROM testpool.database d WHERE ctid = $1 RETURNING d::text",
                             {TIDOID}};

/// The databases that every server has, and the home database, are nobody's clones.
bool may_be_ours(Oid oid) { return oid >= FirstNormalObjectId && oid != MyDatabaseId; }

/// One template at most lives under a hash, and one is the root template.
bool has_rival(const State& state, const Template& t) {
    if (!t.is_root())
        return t.state != TemplateState::discarded && find_living(state, t.hash) != nullptr;
    for (Template& other : templates(state))
        if (other.is_root()) return true;
    return false;
}

bool is_believed(const State& state, const Template& t) {
    if (find_template(state, t.id) != nullptr || has_rival(state, t)) return false;
    return !OidIsValid(t.oid) || may_be_ours(t.oid);
}

bool is_believed(const State& state, const Database& d) {
    return find_database(state, d.id) == nullptr && may_be_ours(d.oid);
}

[[noreturn]] void unknown_columns(const char* table) {
    ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                    errmsg("table testpool.%s has not the columns that the library knows", table),
                    errdetail("The library is of version %s.", TESTPOOL_VERSION),
                    errhint("Call ALTER EXTENSION testpool UPDATE.")));
    pg_unreachable();
}

/// A later version of the extension may have added columns at the end.
template <class Item>
void require_columns(TupleDesc desc, int first) {
    constexpr auto& columns = Table<Item>::columns;
    bool known = desc->natts >= first + static_cast<int>(columns.size());
    for (size_t i = 0; known && i < columns.size(); i++)
        known = strcmp(NameStr(TupleDescAttr(desc, first + i)->attname), columns[i].name) == 0;
    if (!known) unknown_columns(Table<Item>::name);
}

/// nullptr: testpool did not write that row, or not so.
template <class Item>
Item* read_row(const State& state, const Row& row) {
    require_columns<Item>(row.desc(), 1);
    auto* item = static_cast<Item*>(MemoryContextAllocZero(state.memory, sizeof(Item)));
    int number = 2;
    for (const Column<Item>& column : Table<Item>::columns) {
        bool null = false;
        Datum datum = row.datum(number++, &null);
        if (!column.read(state, *item, datum, null)) return nullptr;
    }
    item->row_at = row.place();
    return is_believed(state, *item) ? item : nullptr;
}

/// A row that testpool did not write goes, so that nothing is built on it; the log keeps what it
/// said. The database that it names stays: nobody knows whose that is.
void strike_out(Statement<1>& statement, const char* table, Datum ctid) {
    statement.each_row({Value{ctid}}, [&](const Row& gone) {
        log_line(WARNING,
                 "a row of testpool.%s was not written by testpool on this server and is deleted; "
                 "the database that it names is left alone; it said: %s",
                 table, gone.text(1));
    });
}

// ---- writing ------------------------------------------------------------------------------------

[[noreturn]] void changed_by_someone_else() {
    ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
                    errmsg("testpool's tables were changed by someone else"),
                    errhint("Only the launcher writes them. Try again: it reads them anew.")));
    pg_unreachable();
}

Oid relation_named(const char* name) {
    return get_relname_relid(name, get_namespace_oid("testpool", false));
}

int64 next_of(const char* sequence) { return nextval_internal(relation_named(sequence), false); }

template <class Item>
struct Written {
    static constexpr size_t count = Table<Item>::columns.size();
    std::array<int, count> numbers;
    std::array<Datum, count> datums;
    std::array<bool, count> nulls;
};

template <class Item>
Written<Item> written(const Item& item) {
    Written<Item> row;
    for (size_t i = 0; i < row.count; i++) {
        Value value = Table<Item>::columns[i].write(item);
        row.numbers[i] = static_cast<int>(i) + 1;
        row.datums[i] = value.datum;
        row.nulls[i] = value.null;
    }
    return row;
}

Datum id_of(const Template& t) { return Int32GetDatum(t.id); }
Datum id_of(const Database& d) { return Int64GetDatum(d.id); }

template <class Item>
bool has_key(Relation table, HeapTuple row, const Item& item) {
    bool null = false;
    return HeapTupleIsValid(row) &&
           heap_getattr(row, 1, RelationGetDescr(table), &null) == id_of(item);
}

template <class Item>
HeapTuple indexed_row(Relation table, const Item& item, RegProcedure equal) {
    ScanKeyData key;
    ScanKeyInit(&key, 1, BTEqualStrategyNumber, equal, id_of(item));
    SysScanDesc scan =
        systable_beginscan(table, relation_named(Table<Item>::key), true, nullptr, 1, &key);
    HeapTuple row = systable_getnext(scan);
    if (HeapTupleIsValid(row)) row = heap_copytuple(row);
    systable_endscan(scan);
    return row;
}

/// Writes without a plan, as the rows of system catalogs are written: every acquire waits for one,
/// and executor and checks would be most of its time. `change(table, row)`: of the item's row,
/// which there has to be.
template <class Item, class Change>
void change_row(const Item& item, RegProcedure equal, Change change) {
    Relation table = table_open(relation_named(Table<Item>::name), RowExclusiveLock);
    require_columns<Item>(RelationGetDescr(table), 0);
    HeapTuple old = newest_from(table, item.row_at).row;
    if (!has_key(table, old, item)) old = indexed_row(table, item, equal);
    if (!HeapTupleIsValid(old)) changed_by_someone_else();
    change(table, old);
    table_close(table, NoLock);
    CommandCounterIncrement();
}

template <class Change>
void change_row(const Template& t, Change change) {
    change_row(t, F_INT4EQ, change);
}

template <class Change>
void change_row(const Database& d, Change change) {
    change_row(d, F_INT8EQ, change);
}

template <class Item>
void insert_row(Item& item) {
    Relation table = table_open(relation_named(Table<Item>::name), RowExclusiveLock);
    TupleDesc desc = RelationGetDescr(table);
    require_columns<Item>(desc, 0);
    auto* datums = static_cast<Datum*>(palloc0(sizeof(Datum) * desc->natts));
    auto* nulls = static_cast<bool*>(palloc(sizeof(bool) * desc->natts));
    std::fill_n(nulls, desc->natts, true);
    Written<Item> row = written(item);
    std::ranges::copy(row.datums, datums);
    std::ranges::copy(row.nulls, nulls);
    HeapTuple inserted = heap_form_tuple(desc, datums, nulls);
    CatalogTupleInsert(table, inserted);
    item.row_at = inserted->t_self;
    table_close(table, NoLock);
    CommandCounterIncrement();
}

template <class Item>
void update_row(Item& item) {
    change_row(item, [&](Relation table, HeapTuple old) {
        Written<Item> row = written(item);
        HeapTuple changed =
            heap_modify_tuple_by_cols(old, RelationGetDescr(table), static_cast<int>(row.count),
                                      row.numbers.data(), row.datums.data(), row.nulls.data());
        CatalogTupleUpdate(table, &old->t_self, changed);
        item.row_at = changed->t_self;
    });
}

template <class Item>
void remove_row(const Item& item) {
    change_row(item,
               [](Relation table, HeapTuple old) { CatalogTupleDelete(table, &old->t_self); });
}

Statement<1> has_right_to_acquire{R"(
    SELECT has_schema_privilege($1, 'testpool', 'USAGE')
       AND has_function_privilege($1, 'testpool.acquire(text, interval)', 'EXECUTE'))",
                                  {OIDOID}};

}  // namespace

const char* name_of(TemplateState state) { return template_states[static_cast<size_t>(state)]; }
const char* name_of(DatabaseState state) { return database_states[static_cast<size_t>(state)]; }

bool parse(const char* name, TemplateState& state) {
    return parse_as(template_states, name, state);
}
bool parse(const char* name, DatabaseState& state) {
    return parse_as(database_states, name, state);
}

bool present() {
    Oid schema = get_namespace_oid("testpool", true);
    return OidIsValid(get_extension_oid("testpool", true)) && OidIsValid(schema) &&
           OidIsValid(get_relname_relid("template", schema)) &&
           OidIsValid(get_relname_relid("database", schema));
}

void load(State& state) {
    spi([&] {
        List* not_ours = NIL;  // templates; their clones have to go first
        select_templates.each_row({}, [&](const Row& row) {
            if (auto* t = read_row<Template>(state, row))
                add(state, *t);
            else
                not_ours = lappend(not_ours, DatumGetPointer(row.datum(1)));
        });
        select_databases.each_row({}, [&](const Row& row) {
            if (auto* d = read_row<Database>(state, row))
                add(state, *d);
            else
                strike_out(strike_database, "database", row.datum(1));
        });
        ListCell* cell = nullptr;
        foreach (cell, not_ours)
            strike_out(strike_template, "template", PointerGetDatum(lfirst(cell)));
    });
}

int64 next_template_id() { return next_of("template_id_seq"); }
int64 next_database_id() { return next_of("database_id_seq"); }

void insert(Template& row) { insert_row(row); }
void update(Template& row) { update_row(row); }
void remove(const Template& row) { remove_row(row); }

void insert(Database& row) { insert_row(row); }
void update(Database& row) { update_row(row); }
void remove(const Database& row) { remove_row(row); }

bool may_acquire(Oid role) {
    bool may = false;
    spi([&] {
        has_right_to_acquire.each_row({Value::of(role)},
                                      [&](const Row& row) { may = row.boolean(1); });
    });
    return may;
}

}  // namespace testpool::catalog
