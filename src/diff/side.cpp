// Reading another database's files and catalogs. System catalogs have the same columns in every
// database of a server, so the descriptors of this one will do.

#include "diff/side.h"

namespace testpool::diff {

using rewind::form_of;
using rewind::name_of;

namespace {

uint64 definition_of(HeapTuple row) {
    HeapTuple copy = heap_copytuple(row);
    compat::forget_measures(form_of<FormData_pg_class>(copy));
    uint64 hash = hash_of(copy);
    heap_freetuple(copy);
    return hash;
}

}  // namespace

Blocks blocks_between(BlockNumber first, BlockNumber end) {
    BlockNumber count = end > first ? end - first : 0;
    auto* blocks = static_cast<BlockNumber*>(
        MemoryContextAllocHuge(CurrentMemoryContext, sizeof(BlockNumber) * (size_t{count} + 1)));
    std::iota(blocks, blocks + count, first);
    return {blocks, count};
}

uint64 hash_of(HeapTuple row) {
    constexpr uint32 from = offsetof(HeapTupleHeaderData, t_bits);
    return hash_bytes_extended(reinterpret_cast<unsigned char*>(row->t_data) + from,
                               static_cast<int>(row->t_len - from), 0);
}

Side::Facts Side::facts_of(Oid database) {
    HeapTuple row = SearchSysCache1(DATABASEOID, ObjectIdGetDatum(database));
    if (!HeapTupleIsValid(row))
        ereport(ERROR, (errcode(ERRCODE_UNDEFINED_DATABASE),
                        errmsg("database with OID %u does not exist", database)));
    auto* form = reinterpret_cast<Form_pg_database>(GETSTRUCT(row));
    Facts facts{form->encoding, form->dattablespace};
    ReleaseSysCache(row);
    return facts;
}

// Buffers before files: what is written out between is seen in the file.
Side::Side(Oid database, Facts facts)
    : database_(database),
      encoding_(facts.encoding),
      tablespace_(facts.tablespace),
      directory_(GetDatabasePath(database, tablespace_)),
      dirty_(rewind::dirty_blocks(database)),
      files_(rewind::scan(database, rewind::tablespaces_of(database, tablespace_),
                          rewind::Temporary::leave)) {
    read_relations();
    read_schemas();
    give_indexes_to_tables();
}

const char* Side::readable(const char* name) const {
    int here = GetDatabaseEncoding();
    int length = static_cast<int>(strlen(name));
    if (encoding_ == here || here == PG_SQL_ASCII || pg_is_ascii(name)) return name;
    Oid conversion = FindDefaultConversionProc(encoding_, here);
    if (!OidIsValid(conversion)) return "?";
    int room = length * MAX_CONVERSION_GROWTH + 1;
    auto* converted = static_cast<unsigned char*>(palloc0(room));
    auto* bytes = reinterpret_cast<unsigned char*>(const_cast<char*>(name));
    pg_do_encoding_conversion_buf(conversion, encoding_, here, bytes, length, converted, room,
                                  true);
    return reinterpret_cast<char*>(converted);
}

BlockNumber Side::length(const ForkName& name) const {
    const Fork* found = fork(name);
    return found == nullptr ? 0 : static_cast<BlockNumber>(found->bytes / BLCKSZ);
}

ForkName Side::file_of(const FormData_pg_class& row) const {
    if (!RELKIND_HAS_STORAGE(row.relkind)) return {};
    Oid tablespace = OidIsValid(row.reltablespace) ? row.reltablespace : tablespace_;
    RelNumber number =
        row.relfilenode != 0 ? row.relfilenode : compat::mapped_file(directory_, row.oid);
    return {tablespace, number, MAIN_FORKNUM};
}

void Side::read_relations() {
    ForkName file{tablespace_, compat::mapped_file(directory_, RelationRelationId), MAIN_FORKNUM};
    each_row(file, blocks_between(0, length(file)), [&](HeapTuple row) {
        auto* form = form_of<FormData_pg_class>(row);
        if (form == nullptr || form->relisshared || form->relpersistence == RELPERSISTENCE_TEMP)
            return;
        relations_.add({form->oid, form->relnamespace, form->oid, form->relkind, file_of(*form),
                        definition_of(row), name_of(form->relname)});
    });
    std::ranges::sort(relations_.all(), {}, &ClassRow::oid);
}

/// A TOAST table is named after its table.
void Side::give_indexes_to_tables() {
    for (ClassRow& r : relations())
        if (r.kind == RELKIND_TOASTVALUE)
            r.table = static_cast<Oid>(strtoul(NameStr(r.name) + strlen("pg_toast_"), nullptr, 10));
    each_row(IndexRelationId, [&](HeapTuple row) {
        auto* form = form_of<FormData_pg_index>(row, offsetof(FormData_pg_index, indkey));
        if (form == nullptr) return;
        auto* index = const_cast<ClassRow*>(relation(form->indexrelid));
        const ClassRow* table = relation(form->indrelid);
        if (index != nullptr && table != nullptr) index->table = table->table;
    });
}

void Side::read_schemas() {
    each_row(NamespaceRelationId, [&](HeapTuple row) {
        auto* form = form_of<FormData_pg_namespace>(row);
        if (form != nullptr) schemas_.add({form->oid, name_of(form->nspname)});
    });
}

const ClassRow* Side::relation(Oid oid) const {
    auto all = relations();
    auto found = std::ranges::lower_bound(all, oid, {}, &ClassRow::oid);
    return found != all.end() && found->oid == oid ? &*found : nullptr;
}

const char* Side::schema_name(Oid schema) const {
    for (const Schema& s : schemas_.all()) {
        if (s.oid != schema) continue;
        std::string_view name = NameStr(s.name);
        bool temporary = name.starts_with("pg_temp_") || name.starts_with("pg_toast_temp_");
        return temporary ? nullptr : NameStr(s.name);
    }
    return nullptr;
}

const char* Side::type_name(Oid type) const {
    if (type < FirstNormalObjectId) return format_type_be(type);
    const char* name = "?";
    each_row(TypeRelationId, [&](HeapTuple row) {
        auto* form = form_of<FormData_pg_type>(row);
        if (form == nullptr || form->oid != type) return;
        NameData found = name_of(form->typname);
        name = pstrdup(NameStr(found));
    });
    return name;
}

}  // namespace testpool::diff
