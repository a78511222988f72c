// Objects and what hangs on them. The catalogs and their columns are named here as they would be in
// SQL, so that the list can be read, and holds for every version.

#include "diff/objects.h"

namespace testpool::diff {

const char* const words[] = {"definition", "columns",  "constraints", "indexes",
                             "triggers",   "rules",    "policies",    "partitions",
                             "comment",    "contents", "rewritten"};

namespace {

/// A catalog with a row for each object of a kind.
struct Kind {
    const char* catalog;
    const char* kind;
    const char* name;    // column; nullptr: its OID is all the name it has
    const char* schema;  // column; nullptr: it is in no schema
};

constexpr Kind kinds[] = {
    {"pg_namespace", "schema", "nspname", nullptr},
    {"pg_proc", "function", "proname", "pronamespace"},
    {"pg_type", "type", "typname", "typnamespace"},
    {"pg_operator", "operator", "oprname", "oprnamespace"},
    {"pg_opclass", "operator class", "opcname", "opcnamespace"},
    {"pg_opfamily", "operator family", "opfname", "opfnamespace"},
    {"pg_collation", "collation", "collname", "collnamespace"},
    {"pg_conversion", "conversion", "conname", "connamespace"},
    {"pg_language", "language", "lanname", nullptr},
    {"pg_am", "access method", "amname", nullptr},
    {"pg_extension", "extension", "extname", nullptr},
    {"pg_event_trigger", "event trigger", "evtname", nullptr},
    {"pg_publication", "publication", "pubname", nullptr},
    {"pg_foreign_data_wrapper", "foreign-data wrapper", "fdwname", nullptr},
    {"pg_foreign_server", "foreign server", "srvname", nullptr},
    {"pg_statistic_ext", "statistics", "stxname", "stxnamespace"},
    {"pg_ts_config", "text search configuration", "cfgname", "cfgnamespace"},
    {"pg_ts_dict", "text search dictionary", "dictname", "dictnamespace"},
    {"pg_ts_parser", "text search parser", "prsname", "prsnamespace"},
    {"pg_ts_template", "text search template", "tmplname", "tmplnamespace"},
    {"pg_largeobject_metadata", "large object", nullptr, nullptr},
};

/// A catalog whose rows hang on objects of another.
struct Part {
    const char* catalog;
    const char* owner;  // column with its OID
    Oid owner_catalog;  // invalid: the column classoid tells
    Aspect aspect;
};

constexpr Part parts[] = {
    {"pg_attribute", "attrelid", RelationRelationId, Aspect::columns},
    {"pg_attrdef", "adrelid", RelationRelationId, Aspect::columns},
    {"pg_constraint", "conrelid", RelationRelationId, Aspect::constraints},
    {"pg_constraint", "contypid", TypeRelationId, Aspect::definition},
    {"pg_index", "indrelid", RelationRelationId, Aspect::indexes},
    {"pg_trigger", "tgrelid", RelationRelationId, Aspect::triggers},
    {"pg_rewrite", "ev_class", RelationRelationId, Aspect::rules},
    {"pg_policy", "polrelid", RelationRelationId, Aspect::policies},
    {"pg_inherits", "inhparent", RelationRelationId, Aspect::partitions},
    {"pg_partitioned_table", "partrelid", RelationRelationId, Aspect::definition},
    {"pg_sequence", "seqrelid", RelationRelationId, Aspect::definition},
    {"pg_foreign_table", "ftrelid", RelationRelationId, Aspect::definition},
    {"pg_enum", "enumtypid", TypeRelationId, Aspect::definition},
    {"pg_range", "rngtypid", TypeRelationId, Aspect::definition},
    {"pg_aggregate", "aggfnoid", ProcedureRelationId, Aspect::definition},
    {"pg_amop", "amopfamily", OperatorFamilyRelationId, Aspect::definition},
    {"pg_amproc", "amprocfamily", OperatorFamilyRelationId, Aspect::definition},
    {"pg_publication_rel", "prpubid", PublicationRelationId, Aspect::definition},
    {"pg_publication_namespace", "pnpubid", PublicationRelationId, Aspect::definition},
    {"pg_ts_config_map", "mapcfg", TSConfigRelationId, Aspect::definition},
    {"pg_user_mapping", "umserver", ForeignServerRelationId, Aspect::definition},
    {"pg_largeobject", "loid", LargeObjectMetadataRelationId, Aspect::contents},
    {"pg_description", "objoid", InvalidOid, Aspect::comment},
};

/// Told by other rows, or of no interest.
constexpr std::string_view passed_by[] = {"pg_class", "pg_depend", "pg_statistic", "pg_init_privs",
                                          "pg_statistic_ext_data"};

Datum column(HeapTuple row, TupleDesc desc, const char* name) {
    bool null = false;
    int number = SPI_fnumber(desc, name);
    Datum value = number > 0 ? heap_getattr(row, number, desc, &null) : Datum{0};
    return null ? Datum{0} : value;
}

Oid oid_in(HeapTuple row, TupleDesc desc, const char* name) {
    return DatumGetObjectId(column(row, desc, name));
}

/// Types that come and go with a relation or with another type, and triggers of foreign keys.
bool is_implied(std::string_view catalog, TupleDesc desc, HeapTuple row) {
    if (catalog == "pg_trigger") return DatumGetBool(column(row, desc, "tgisinternal"));
    if (catalog != "pg_type") return false;
    auto* type = rewind::form_of<FormData_pg_type>(row);
    return type == nullptr || OidIsValid(type->typrelid) ||
           type->typcategory == TYPCATEGORY_ARRAY || type->typtype == TYPTYPE_MULTIRANGE;
}

const char* signature(const Side& side, HeapTuple row) {
    constexpr size_t types_at =
        offsetof(FormData_pg_proc, proargtypes) + offsetof(oidvector, values);
    auto* function = rewind::form_of<FormData_pg_proc>(row, types_at);
    if (function == nullptr) return "?";
    NameData name = rewind::name_of(function->proname);
    StringInfoData text;
    initStringInfo(&text);
    appendStringInfo(&text, "%s(", NameStr(name));
    size_t room = (row->t_len - row->t_data->t_hoff - types_at) / sizeof(Oid);
    int types = std::min(function->proargtypes.dim1, static_cast<int>(room));
    for (int i = 0; i < types; i++)
        appendStringInfo(&text, "%s%s", i == 0 ? "" : ", ",
                         side.type_name(function->proargtypes.values[i]));
    appendStringInfoChar(&text, ')');
    return text.data;
}

const char* name_of(const Side& side, const Kind& kind, TupleDesc desc, HeapTuple row, Oid oid) {
    if (kind.name == nullptr) return psprintf("%u", oid);
    if (strcmp(kind.catalog, "pg_proc") == 0) return signature(side, row);
    Datum name = column(row, desc, kind.name);
    if (name == Datum{0}) return "?";
    NameData ended = rewind::name_of(*DatumGetName(name));
    return pstrdup(NameStr(ended));
}

/// The name is nullptr if it is in the schema of a session's temporary objects.
Object object_of(const Side& side, const Kind& kind, Oid catalog, TupleDesc desc, HeapTuple row) {
    Object object{};
    object.key = {catalog, oid_in(row, desc, "oid")};
    object.kind = kind.kind;
    object.hash = hash_of(row);
    if (kind.schema != nullptr) {
        object.schema = side.schema_name(oid_in(row, desc, kind.schema));
        if (object.schema == nullptr) return object;
    }
    if (catalog == NamespaceRelationId && side.schema_name(object.key.oid) == nullptr)
        return object;
    object.name = name_of(side, kind, desc, row, object.key.oid);
    return object;
}

const Kind* kind_in(std::string_view catalog) {
    const Kind* found = std::ranges::find(kinds, catalog, &Kind::catalog);
    return found == std::end(kinds) ? nullptr : found;
}

/// Works with the columns of a catalog.
template <class Work>
void with_columns(Oid catalog, Work work) {
    Relation relation = table_open(catalog, AccessShareLock);
    work(RelationGetDescr(relation));
    table_close(relation, AccessShareLock);
}

}  // namespace

bool is_catalog(const ClassRow& relation) {
    return relation.schema == PG_CATALOG_NAMESPACE && relation.kind == RELKIND_RELATION;
}

void Objects::read(const ClassRow& catalog, Blocks blocks) {
    std::string_view name = NameStr(catalog.name);
    if (std::ranges::find(passed_by, name) != std::end(passed_by)) return;
    with_columns(catalog.oid, [&](TupleDesc desc) {
        side_.each_row(catalog.file, blocks, [&](HeapTuple row) {
            if (rewind::fits(row, desc) && !is_implied(name, desc, row))
                read_row(catalog, desc, row);
        });
    });
}

void Objects::read_row(const ClassRow& catalog, TupleDesc desc, HeapTuple row) {
    uint64 hash = hash_of(row);
    const Kind* kind = kind_in(NameStr(catalog.name));
    bool told = kind != nullptr;
    if (kind != nullptr) {
        Object object = object_of(side_, *kind, catalog.oid, desc, row);
        if (object.name != nullptr) objects_.add(object);
    }
    for (const Part& part : parts) {
        if (strcmp(NameStr(catalog.name), part.catalog) != 0) continue;
        told = true;
        Oid owner_catalog = part.owner_catalog;
        if (!OidIsValid(owner_catalog)) owner_catalog = oid_in(row, desc, "classoid");
        Oid owner = oid_in(row, desc, part.owner);
        if (OidIsValid(owner)) add_trait({owner_catalog, owner}, part.aspect, hash);
    }
    bool is_object = !told && SPI_fnumber(desc, "oid") > 0;
    if (is_object && is_of_extension({catalog.oid, oid_in(row, desc, "oid")})) return;
    if (!told) add_trait({RelationRelationId, catalog.oid}, Aspect::contents, hash);
}

/// What hangs on an index or a TOAST table is its table's; a view is its rule.
void Objects::add_trait(ObjectKey of, Aspect aspect, uint64 hash) {
    if (of.catalog == RelationRelationId) {
        const ClassRow* relation = side_.relation(of.oid);
        if (relation == nullptr || relation->kind == RELKIND_TOASTVALUE) return;
        bool is_view = relation->kind == RELKIND_VIEW || relation->kind == RELKIND_MATVIEW;
        if (relation->table != of.oid) aspect = Aspect::indexes;
        if (is_view && aspect == Aspect::rules) aspect = Aspect::definition;
        of.oid = relation->table;
    }
    all_traits_.add({of, aspect, hash});
}

void Objects::finish() {
    auto all = all_traits_.all();
    auto place = [](const Trait& t) { return std::tuple{t.of, t.aspect}; };
    std::ranges::sort(all, {}, place);
    size_t count = 0;
    for (const Trait& trait : all) {
        if (count > 0 && place(all[count - 1]) == place(trait))
            all[count - 1].hash += trait.hash;
        else
            all[count++] = trait;
    }
    traits_ = all.first(count);
    std::ranges::sort(objects_.all(), {}, &Object::key);
}

bool Objects::is_of_extension(ObjectKey object) {
    if (!members_known_) {
        side_.each_row(DependRelationId, [&](HeapTuple row) {
            constexpr size_t needed = offsetof(FormData_pg_depend, deptype) + sizeof(char);
            auto* link = rewind::form_of<FormData_pg_depend>(row, needed);
            if (link != nullptr && link->deptype == DEPENDENCY_EXTENSION)
                extension_members_.add({link->classid, link->objid});
        });
        std::ranges::sort(extension_members_.all());
        members_known_ = true;
    }
    return std::ranges::binary_search(extension_members_.all(), object);
}

Object find_object(const Side& side, ObjectKey key) {
    Object found{};
    const ClassRow* catalog = side.relation(key.catalog);
    const Kind* kind = catalog != nullptr ? kind_in(NameStr(catalog->name)) : nullptr;
    if (kind == nullptr) return found;
    with_columns(key.catalog, [&](TupleDesc desc) {
        side.each_row(key.catalog, [&](HeapTuple row) {
            if (rewind::fits(row, desc) && oid_in(row, desc, "oid") == key.oid &&
                !is_implied(kind->catalog, desc, row))
                found = object_of(side, *kind, key.catalog, desc, row);
        });
    });
    return found;
}

}  // namespace testpool::diff
