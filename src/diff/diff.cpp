// Comparing a clone with its template. First the files: which relations have other pages, catalogs
// among them. Then what those pages of the catalogs say. So the cost follows the change, but for
// one look at every file and at pg_class.

#include "diff/diff.h"

#include <optional>

#include "diff/objects.h"
#include "diff/storage.h"
#include "errors.h"
#include "pairs.h"

namespace testpool::diff {

namespace {

constexpr size_t most_pages_counted = 10'000;  // of a table whose rows are counted

constexpr uint32 bit(Aspect aspect) { return 1U << static_cast<uint32>(aspect); }

/// What differs of an object, besides its name; one for each thing found, to be added up.
struct Finding {
    ObjectKey of;
    uint32 aspects = 0;
    int64 pages = 0;
    int64 bytes = 0;
    int64 rows = 0;
    bool uncounted = false;  // the table has too many pages to count its rows
};

/// A row of the result.
struct Difference {
    const char* change;
    const char* kind;
    const char* schema;
    const char* name;
    const char* detail = nullptr;
    std::optional<int64> rows, inserted, updated, deleted, pages, bytes;
};

const char* change_of(const void* s, const void* c) {
    if (s == nullptr) return "added";
    return c == nullptr ? "dropped" : "changed";
}

const char* text_of(uint32 aspects) {
    StringInfoData text;
    initStringInfo(&text);
    for (size_t i = 0; i < std::size(words); i++)
        if ((aspects & (1U << i)) != 0)
            appendStringInfo(&text, "%s%s", text.len > 0 ? ", " : "", words[i]);
    return text.len > 0 ? text.data : nullptr;
}

const char* kind_of(const ClassRow& relation) {
    switch (relation.kind) {
        case RELKIND_RELATION:
            return is_catalog(relation) ? "catalog" : "table";
        case RELKIND_PARTITIONED_TABLE:
            return "partitioned table";
        case RELKIND_VIEW:
            return "view";
        case RELKIND_MATVIEW:
            return "materialized view";
        case RELKIND_SEQUENCE:
            return "sequence";
        case RELKIND_FOREIGN_TABLE:
            return "foreign table";
        case RELKIND_COMPOSITE_TYPE:
            return "type";
        default:
            return nullptr;  // told with its table
    }
}

bool has_rows(const ClassRow& relation) {
    return relation.kind == RELKIND_RELATION || relation.kind == RELKIND_MATVIEW;
}

/// Where the sequence stands.
const char* value_of(const Side& side, const ClassRow& sequence) {
    const char* value = "?";
    side.each_row(sequence.file, blocks_between(0, 1), [&](HeapTuple row) {
        constexpr size_t needed = offsetof(FormData_pg_sequence_data, is_called) + sizeof(bool);
        auto* data = rewind::form_of<FormData_pg_sequence_data>(row, needed);
        if (data == nullptr) return;
        value = data->is_called ? psprintf(INT64_FORMAT, data->last_value) : "unused";
    });
    return value;
}

/// How many rows there are more in the clone; none: it would take too long to count them.
std::optional<int64> growth_in_rows(const Side& source, const Side& clone, const ClassRow* s,
                                    const ClassRow* c, const Changed& changed) {
    int64 rows = 0;
    if (changed.source.size() + changed.clone.size() > most_pages_counted) return std::nullopt;
    if (s != nullptr) source.each_row(s->file, changed.source, [&](HeapTuple) { rows--; });
    if (c != nullptr) clone.each_row(c->file, changed.clone, [&](HeapTuple) { rows++; });
    return rows;
}

void put(ReturnSetInfo* result, const Side& side, const Difference& difference) {
    std::array<Datum, 11> values{};
    std::array<bool, 11> nulls{};
    size_t column = 0;
    for (const char* text : {difference.change, difference.kind, difference.schema, difference.name,
                             difference.detail}) {
        nulls[column] = text == nullptr;
        values[column++] = text == nullptr ? Datum{0} : CStringGetTextDatum(side.readable(text));
    }
    for (const std::optional<int64>& number :
         {difference.rows, difference.inserted, difference.updated, difference.deleted,
          difference.pages, difference.bytes}) {
        nulls[column] = !number;
        values[column++] = Int64GetDatum(number.value_or(0));
    }
    tuplestore_putvalues(result->setResult, result->setDesc, values.data(), nulls.data());
}

class Diff {
  public:
    Diff(Oid source, Oid clone, ReturnSetInfo* result)
        : source_(source),
          clone_(clone),
          source_objects_(source_),
          clone_objects_(clone_),
          result_(result) {}

    void look() {
        each_pair(source_.relations(), clone_.relations(), &ClassRow::oid,
                  [&](const ClassRow* s, const ClassRow* c) { look_at(s, c); });
        source_objects_.finish();
        clone_objects_.finish();
        auto place = [](const Trait& t) { return std::tuple{t.of, t.aspect}; };
        each_pair(source_objects_.traits(), clone_objects_.traits(), place,
                  [&](const Trait* s, const Trait* c) {
                      const Trait& trait = s != nullptr ? *s : *c;
                      bool same = s != nullptr && c != nullptr && s->hash == c->hash;
                      if (!same) findings_.add({trait.of, bit(trait.aspect)});
                  });
        std::ranges::sort(findings_.all(), {}, &Finding::of);
    }

    void tell() {
        each_pair(source_.relations(), clone_.relations(), &ClassRow::oid,
                  [&](const ClassRow* s, const ClassRow* c) { tell_relation(s, c); });
        each_pair(source_objects_.objects(), clone_objects_.objects(), &Object::key,
                  [&](const Object* s, const Object* c) { tell_object(s, c); });
        for (const Finding& finding : findings_.all()) tell_part(finding.of);
    }

  private:
    /// An index or a TOAST table is looked at for its table.
    void look_at(const ClassRow* s, const ClassRow* c) {
        const ClassRow& relation = c != nullptr ? *c : *s;
        Changed changed = changed_blocks(source_, clone_, s, c);
        Finding finding{{RelationRelationId, relation.table}};
        finding.pages = changed.pages();
        finding.bytes =
            (static_cast<int64>(changed.clone.size()) - static_cast<int64>(changed.source.size())) *
            BLCKSZ;
        if (changed.rewritten) finding.aspects |= bit(Aspect::rewritten);
        bool redefined = s == nullptr || c == nullptr || s->definition != c->definition;
        if (redefined)
            finding.aspects |=
                bit(relation.table == relation.oid ? Aspect::definition : Aspect::indexes);
        if (is_catalog(relation)) {
            if (s != nullptr) source_objects_.read(*s, changed.source);
            if (c != nullptr) clone_objects_.read(*c, changed.clone);
        }
        if (has_rows(relation)) {
            std::optional<int64> rows = growth_in_rows(source_, clone_, s, c, changed);
            finding.rows = rows.value_or(0);
            finding.uncounted = !rows;
        }
        if (finding.pages > 0 || finding.aspects != 0) findings_.add(finding);
    }

    /// All that was found of an object.
    Finding found(ObjectKey key) const {
        Finding sum{key};
        auto all = findings_.all();
        auto f = std::ranges::lower_bound(all, key, {}, &Finding::of);
        for (; f != all.end() && f->of == key; ++f) {
            sum.aspects |= f->aspects;
            sum.pages += f->pages;
            sum.bytes += f->bytes;
            sum.rows += f->rows;
            sum.uncounted |= f->uncounted;
        }
        return sum;
    }

    /// What came or went with an extension is told by the extension.
    bool is_of_extension(const void* s, const void* c, ObjectKey key) {
        if (s != nullptr && c != nullptr) return false;
        return (c != nullptr ? clone_objects_ : source_objects_).is_of_extension(key);
    }

    void tell_relation(const ClassRow* s, const ClassRow* c) {
        const ClassRow& relation = c != nullptr ? *c : *s;
        const char* kind = relation.table == relation.oid ? kind_of(relation) : nullptr;
        const Side& side = c != nullptr ? clone_ : source_;
        const char* schema = side.schema_name(relation.schema);
        if (kind == nullptr || schema == nullptr) return;
        Finding finding = found({RelationRelationId, relation.oid});
        // Other catalogs are told by what they tell.
        uint32 wanted = is_catalog(relation) ? bit(Aspect::contents) : ~0U;
        if ((finding.aspects & wanted) == 0 && (is_catalog(relation) || finding.pages == 0)) return;
        if (is_of_extension(s, c, finding.of)) return;
        Difference difference{change_of(s, c), kind, schema, NameStr(relation.name)};
        if (s != nullptr && c != nullptr) difference.detail = detail_of(*s, *c, finding);
        if (relation.file.relation != 0) {
            difference.pages = finding.pages;
            difference.bytes = finding.bytes;
        }
        if (has_rows(relation) && !finding.uncounted) difference.rows = finding.rows;
        if (has_rows(relation) && c != nullptr) add_counters(difference, relation.oid);
        put(result_, side, difference);
    }

    const char* detail_of(const ClassRow& s, const ClassRow& c, const Finding& finding) const {
        const char* detail = text_of(finding.aspects);
        if (c.kind != RELKIND_SEQUENCE || finding.pages == 0) return detail;
        return psprintf("%s%svalue %s, was %s", detail != nullptr ? detail : "",
                        detail != nullptr ? ", " : "", value_of(clone_, c), value_of(source_, s));
    }

    void add_counters(Difference& difference, Oid relation) const {
        if (!pgstat_track_counts) return;
        const PgStat_StatTabEntry* entry = compat::statistics_of(clone_.database(), relation);
        difference.inserted = entry == nullptr ? 0 : entry->tuples_inserted;
        difference.updated = entry == nullptr ? 0 : entry->tuples_updated;
        difference.deleted = entry == nullptr ? 0 : entry->tuples_deleted;
    }

    void tell_object(const Object* s, const Object* c) {
        const Object& object = c != nullptr ? *c : *s;
        uint32 aspects = found(object.key).aspects;
        bool both = s != nullptr && c != nullptr;
        if (both && s->hash != c->hash) aspects |= bit(Aspect::definition);
        if ((both && aspects == 0) || is_of_extension(s, c, object.key)) return;
        put(result_, c != nullptr ? clone_ : source_,
            {change_of(s, c), object.kind, object.schema, object.name,
             both ? text_of(aspects) : nullptr});
    }

    /// An object whose own row is the same.
    void tell_part(ObjectKey key) {
        auto tells = [&](std::span<Object> objects) {
            return std::ranges::binary_search(objects, key, {}, &Object::key);
        };
        if (key == told_ || key.catalog == RelationRelationId) return;
        if (tells(source_objects_.objects()) || tells(clone_objects_.objects())) return;
        told_ = key;
        Object object = find_object(clone_, key);
        if (object.name == nullptr) return;
        put(result_, clone_,
            {"changed", object.kind, object.schema, object.name, text_of(found(key).aspects)});
    }

    const Side source_;
    const Side clone_;
    Objects source_objects_;
    Objects clone_objects_;
    Growing<Finding> findings_;
    ObjectKey told_{};
    ReturnSetInfo* result_;
};

}  // namespace

// Neither database can be dropped or rewound meanwhile.
void list(Oid source, Oid clone, const NameData& name, ReturnSetInfo* result) {
    for (Oid database : {source, clone})
        LockSharedObject(DatabaseRelationId, database, 0, AccessShareLock);
    const char* present = get_database_name(clone);
    if (present == nullptr || strcmp(present, NameStr(name)) != 0)
        errors::not_leased(NameStr(name));  // it was given up since the launcher was asked
    Diff diff(source, clone, result);
    diff.look();
    diff.tell();
    for (Oid database : {source, clone})
        UnlockSharedObject(DatabaseRelationId, database, 0, AccessShareLock);
}

}  // namespace testpool::diff
