// The tables testpool.template and testpool.database: only here are they read and written.

#include "catalog.h"

#include "log.h"
#include "pg/spi.h"

namespace testpool::catalog {

namespace {

constexpr std::array template_states = {"building", "finalized", "discarded"};
constexpr std::array database_states = {"cloning", "ready",     "leased",
                                        "kept",    "recycling", "failed"};

template <class State, size_t N>
std::optional<State> parse(const std::array<const char*, N>& names, const char* name) {
    for (size_t i = 0; i < N; i++)
        if (name != nullptr && strcmp(names[i], name) == 0) return static_cast<State>(i);
    return std::nullopt;
}

/// A row tells testpool which database it may hand out and drop. It is believed only with this,
/// which binds the OID to the row and to the server: not if somebody else wrote either, nor if it
/// was restored from another server's dump. `of`: a clone's template.
int64 proof_of(int64 id, int64 of, Oid oid) {
    std::array<uint64, 4> parts = {GetSystemIdentifier(), static_cast<uint64>(id),
                                   static_cast<uint64>(of), oid};
    return static_cast<int64>(hash_bytes_extended(
        reinterpret_cast<const unsigned char*>(parts.data()), sizeof(parts), 0));
}

constexpr int64 of_template = -1;

/// The databases that every server has, and the home database, are nobody's clones.
bool may_be_ours(Oid oid) { return oid >= FirstNormalObjectId && oid != MyDatabaseId; }

void copy(NameData& field, const char* text) {
    strlcpy(NameStr(field), text != nullptr ? text : "", NAMEDATALEN);
}

const char* kept_text(const State& state, const char* text) {
    return text == nullptr ? nullptr : MemoryContextStrdup(state.memory, text);
}

const char* text_or_null(const NameData& field) {
    return NameStr(field)[0] != '\0' ? NameStr(field) : nullptr;
}

Statement<0> select_templates{R"(
    SELECT id, hash, name, state, oid, database, exists, sealing, owner, base, pid, session_start,
           application, client, claimed_at, finalized_at, discarded_at, bytes, reason, failures,
           retry_at, sealed_at, frozen_xid, min_mxid, fingerprint, files,
           clone_strategy, strategy_reason, proof, ctid
      FROM testpool.template ORDER BY id)",
                              {}};

Statement<0> select_databases{R"(
    SELECT id, template, oid, name, state, generation, role, pid, session_start, application,
           client, created_at, ready_at, leased_at, reason, error, retry_at, recycled, recycle_us,
           relations, pages, clone_reason, named, proof, ctid
      FROM testpool.database ORDER BY id)",
                              {}};

Holder read_holder(const Row& row, int column) {
    Holder holder{};
    holder.session = {row.int4(column), row.time(column + 1)};
    copy(holder.application, row.text(column + 2));
    copy(holder.client, row.text(column + 3));
    return holder;
}

Template* find_template(const State& state, int32 id) {
    for (Template& t : templates(state))
        if (t.id == id) return &t;
    return nullptr;
}

/// nullptr: testpool did not write that row, or not so.
Template* read_template(const State& state, const Row& row) {
    auto parsed = parse<TemplateState>(template_states, row.text(4));
    bool of_database = OidIsValid(row.oid(5));
    if (!parsed || row.int8(29) != proof_of(row.int4(1), of_template, row.oid(5)) ||
        (of_database && !may_be_ours(row.oid(5))) || find_template(state, row.int4(1)) != nullptr)
        return nullptr;
    auto* t = static_cast<Template*>(MemoryContextAllocZero(state.memory, sizeof(Template)));
    t->id = row.int4(1);
    t->hash = kept_text(state, row.text(2));
    t->name = kept_text(state, row.text(3));
    t->state = *parsed;
    t->oid = row.oid(5);
    copy(t->database, row.text(6));
    t->exists = row.boolean(7);
    t->sealing = row.boolean(8);
    t->owner = row.oid(9);
    t->base = row.int4(10);
    t->builder = read_holder(row, 11);
    t->claimed_at = row.time(15);
    t->finalized_at = row.time(16);
    t->discarded_at = row.time(17);
    t->bytes = row.int8(18);
    t->reason = kept_text(state, row.text(19));
    t->failures = row.int4(20);
    t->retry_at = row.time(21);
    t->seal = {static_cast<XLogRecPtr>(row.int8(22)), row.oid(23), row.oid(24), row.int8(25),
               row.int4(26)};
    t->clone_strategy = kept_text(state, row.text(27));
    t->strategy_reason = kept_text(state, row.text(28));
    return t;
}

bool has_database(const State& state, int64 id) {
    for (Database& d : databases(state))
        if (d.id == id) return true;
    return false;
}

/// nullptr: testpool did not write that row, or not so.
Database* read_database(const State& state, const Row& row) {
    auto parsed = parse<DatabaseState>(database_states, row.text(5));
    Template* of = find_template(state, row.int4(2));
    if (!parsed || of == nullptr || !may_be_ours(row.oid(3)) || has_database(state, row.int8(1)) ||
        row.int8(24) != proof_of(row.int8(1), row.int4(2), row.oid(3)))
        return nullptr;
    auto* d = static_cast<Database*>(MemoryContextAllocZero(state.memory, sizeof(Database)));
    d->id = row.int8(1);
    d->of = of;
    d->oid = row.oid(3);
    copy(d->name, row.text(4));
    d->state = *parsed;
    d->generation = row.int4(6);
    d->role = row.oid(7);
    d->holder = read_holder(row, 8);
    d->created_at = row.time(12);
    d->ready_at = row.time(13);
    d->leased_at = row.time(14);
    d->reason = kept_text(state, row.text(15));
    d->error = kept_text(state, row.text(16));
    d->retry_at = row.time(17);
    d->recycled = kept_text(state, row.text(18));
    d->recycle_us = row.int8(19);
    d->relations = row.int4(20);
    d->pages = row.int8(21);
    d->clone_reason = kept_text(state, row.text(22));
    d->named = row.boolean(23);
    return d;
}

template <class Item>
void append(const State& state, List*& list, Item* item) {
    MemoryContext caller = MemoryContextSwitchTo(state.memory);
    list = lappend(list, item);
    MemoryContextSwitchTo(caller);
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

Statement<1> strike_template{"DELETE FROM testpool.template t WHERE ctid = $1 RETURNING t::text",
                             {TIDOID}};
Statement<1> strike_database{"DELETE FROM testpool.database d WHERE ctid = $1 RETURNING d::text",
                             {TIDOID}};

[[noreturn]] void changed_by_someone_else() {
    ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
                    errmsg("testpool's tables were changed by someone else"),
                    errhint("Only the steward writes them. Try again: it reads them anew.")));
    pg_unreachable();
}

/// A statement about one row that finds another number of rows means that somebody else has
/// changed the tables: the steward then reads them again.
template <size_t N>
void one_row(Statement<N>& statement, std::array<Value, N> values) {
    spi([&] {
        if (statement.run(values) != 1) changed_by_someone_else();
    });
}

Oid relation_named(const char* name) {
    return get_relname_relid(name, get_namespace_oid("testpool", false));
}

int64 next_of(const char* sequence) { return nextval_internal(relation_named(sequence), false); }

constexpr size_t template_columns = 29;
constexpr std::array<Oid, template_columns> template_types = {
    INT4OID, TEXTOID, TEXTOID,        TEXTOID,        OIDOID,         NAMEOID,
    BOOLOID, BOOLOID, OIDOID,         INT4OID,        INT4OID,        TIMESTAMPTZOID,
    TEXTOID, TEXTOID, TIMESTAMPTZOID, TIMESTAMPTZOID, TIMESTAMPTZOID, INT8OID,
    TEXTOID, INT4OID, TIMESTAMPTZOID, LSNOID,         XIDOID,         XIDOID,
    INT8OID, INT4OID, TEXTOID,        TEXTOID,        INT8OID};

std::array<Value, template_columns> values_of(const Template& t) {
    return {Value::of(t.id),
            Value::of(t.hash),
            Value::of(t.name),
            Value::of(name_of(t.state)),
            Value::of(t.oid),
            Value::name(const_cast<NameData&>(t.database)),
            Value::of(t.exists),
            Value::of(t.sealing),
            Value::of(t.owner),
            t.base != 0 ? Value::of(t.base) : Value{0, true},
            t.builder.session.pid != 0 ? Value::of(t.builder.session.pid) : Value{0, true},
            Value::time(t.builder.session.since),
            Value::of(text_or_null(t.builder.application)),
            Value::of(text_or_null(t.builder.client)),
            Value::time(t.claimed_at),
            Value::time(t.finalized_at),
            Value::time(t.discarded_at),
            t.bytes != 0 ? Value::of(t.bytes) : Value{0, true},
            Value::of(t.reason),
            Value::of(t.failures),
            Value::time(t.retry_at),
            t.seal.at != 0 ? Value{LSNGetDatum(t.seal.at)} : Value{0, true},
            Value::of(t.seal.frozen_xid),
            Value::of(t.seal.min_mxid),
            t.seal.at != 0 ? Value::of(t.seal.fingerprint) : Value{0, true},
            t.seal.at != 0 ? Value::of(t.seal.files) : Value{0, true},
            Value::of(t.clone_strategy),
            Value::of(t.strategy_reason),
            Value::of(proof_of(t.id, of_template, t.oid))};
}

Statement<template_columns> insert_template{R"(
    INSERT INTO testpool.template (id, hash, name, state, oid, database, exists, sealing, owner,
           base, pid, session_start, application, client, claimed_at, finalized_at, discarded_at,
           bytes, reason, failures, retry_at, sealed_at, frozen_xid, min_mxid,
           fingerprint, files, clone_strategy, strategy_reason, proof)
    OVERRIDING SYSTEM VALUE
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19,
           $20, $21, $22, $23, $24, $25, $26, $27, $28, $29))",
                                            template_types};

Statement<template_columns> update_template{R"(
    UPDATE testpool.template SET hash = $2, name = $3, state = $4, oid = $5, database = $6,
           exists = $7, sealing = $8, owner = $9, base = $10, pid = $11, session_start = $12,
           application = $13, client = $14, claimed_at = $15, finalized_at = $16,
           discarded_at = $17, bytes = $18, reason = $19, failures = $20, retry_at = $21,
           sealed_at = $22, frozen_xid = $23, min_mxid = $24, fingerprint = $25,
           files = $26, clone_strategy = $27, strategy_reason = $28, proof = $29
     WHERE id = $1)",
                                            template_types};

Statement<1> delete_template{"DELETE FROM testpool.template WHERE id = $1", {INT4OID}};

constexpr size_t database_columns = 24;
constexpr std::array<Oid, database_columns> database_types = {
    INT8OID,        INT4OID,        OIDOID,         NAMEOID, TEXTOID,        INT4OID,
    OIDOID,         INT4OID,        TIMESTAMPTZOID, TEXTOID, TEXTOID,        TIMESTAMPTZOID,
    TIMESTAMPTZOID, TIMESTAMPTZOID, TEXTOID,        TEXTOID, TIMESTAMPTZOID, TEXTOID,
    INT8OID,        INT4OID,        INT8OID,        TEXTOID, BOOLOID,        INT8OID};

std::array<Value, database_columns> values_of(const Database& d) {
    return {Value::of(d.id),
            Value::of(d.of->id),
            Value::of(d.oid),
            Value::name(const_cast<NameData&>(d.name)),
            Value::of(name_of(d.state)),
            Value::of(d.generation),
            Value::of(d.role),
            d.holder.session.pid != 0 ? Value::of(d.holder.session.pid) : Value{0, true},
            Value::time(d.holder.session.since),
            Value::of(text_or_null(d.holder.application)),
            Value::of(text_or_null(d.holder.client)),
            Value::time(d.created_at),
            Value::time(d.ready_at),
            Value::time(d.leased_at),
            Value::of(d.reason),
            Value::of(d.error),
            Value::time(d.retry_at),
            Value::of(d.recycled),
            d.recycled != nullptr ? Value::of(d.recycle_us) : Value{0, true},
            d.recycled != nullptr ? Value::of(d.relations) : Value{0, true},
            d.recycled != nullptr ? Value::of(d.pages) : Value{0, true},
            Value::of(d.clone_reason),
            Value::of(d.named),
            Value::of(proof_of(d.id, d.of->id, d.oid))};
}

Statement<database_columns> insert_database{R"(
    INSERT INTO testpool.database (id, template, oid, name, state, generation, role, pid,
           session_start, application, client, created_at, ready_at, leased_at, reason, error,
           retry_at, recycled, recycle_us, relations, pages, clone_reason, named, proof)
    OVERRIDING SYSTEM VALUE
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19,
           $20, $21, $22, $23, $24))",
                                            database_types};

Statement<1> delete_database{"DELETE FROM testpool.database WHERE id = $1", {INT8OID}};

Statement<1> has_right_to_acquire{R"(
    SELECT has_schema_privilege($1, 'testpool', 'USAGE')
       AND has_function_privilege($1, 'testpool.acquire(text, interval)', 'EXECUTE'))",
                                  {OIDOID}};

}  // namespace

const char* name_of(TemplateState state) { return template_states[static_cast<size_t>(state)]; }
const char* name_of(DatabaseState state) { return database_states[static_cast<size_t>(state)]; }

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
            if (Template* t = read_template(state, row))
                append(state, state.templates, t);
            else
                not_ours = lappend(not_ours, DatumGetPointer(row.datum(30)));
        });
        select_databases.each_row({}, [&](const Row& row) {
            if (Database* d = read_database(state, row))
                append(state, state.databases, d);
            else
                strike_out(strike_database, "database", row.datum(25));
        });
        ListCell* cell = nullptr;
        foreach (cell, not_ours)
            strike_out(strike_template, "template", PointerGetDatum(lfirst(cell)));
    });
}

int64 next_template_id() { return next_of("template_id_seq"); }
int64 next_database_id() { return next_of("database_id_seq"); }

void insert(const Template& row) { one_row(insert_template, values_of(row)); }
void update(const Template& row) { one_row(update_template, values_of(row)); }
void remove(const Template& row) { one_row(delete_template, {Value::of(row.id)}); }

void insert(const Database& row) { one_row(insert_database, values_of(row)); }
/// An UPDATE without a plan: every acquire waits for one, and executor and checks would be most of
/// its time. As for a row of the system catalogs; the values are in the order of the columns.
void update(const Database& row) {
    std::array<Value, database_columns> values = values_of(row);
    Relation rows = table_open(relation_named("database"), RowExclusiveLock);
    if (RelationGetNumberOfAttributes(rows) != database_columns) changed_by_someone_else();
    ScanKeyData key;
    ScanKeyInit(&key, 1, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(row.id));
    SysScanDesc scan =
        systable_beginscan(rows, relation_named("database_pkey"), true, nullptr, 1, &key);
    HeapTuple old = systable_getnext(scan);
    if (!HeapTupleIsValid(old)) changed_by_someone_else();
    std::array<Datum, database_columns> datums{};
    std::array<bool, database_columns> nulls{};
    for (size_t i = 0; i < database_columns; i++) {
        datums[i] = values[i].datum;
        nulls[i] = values[i].null;
    }
    HeapTuple changed = heap_form_tuple(RelationGetDescr(rows), datums.data(), nulls.data());
    CatalogTupleUpdate(rows, &old->t_self, changed);
    systable_endscan(scan);
    table_close(rows, NoLock);
    CommandCounterIncrement();
}
void remove(const Database& row) { one_row(delete_database, {Value::of(row.id)}); }

bool may_acquire(Oid role) {
    bool may = false;
    spi([&] {
        has_right_to_acquire.each_row({Value::of(role)},
                                      [&](const Row& row) { may = row.boolean(1); });
    });
    return may;
}

}  // namespace testpool::catalog
