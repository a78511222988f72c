// What the catalogs of one side say of objects, as far as the two sides may differ: each object by
// its name, and what hangs on it (columns, triggers, a comment) as fingerprints.
#pragma once

#include "diff/side.h"

namespace testpool::diff {

/// What of an object may differ; words[] has them for people.
enum class Aspect : uint8 {
    definition,
    columns,
    constraints,
    indexes,
    triggers,
    rules,
    policies,
    partitions,
    comment,
    contents,
    rewritten,
    count,
};
extern const char* const words[static_cast<size_t>(Aspect::count)];

struct ObjectKey {
    Oid catalog;
    Oid oid;
    auto operator<=>(const ObjectKey&) const = default;
};

/// A fingerprint of one row, or of several, that tell one aspect of an object.
struct Trait {
    ObjectKey of;
    Aspect aspect;
    uint64 hash;
};

/// An object that is no relation.
struct Object {
    ObjectKey key;
    const char* kind;
    const char* schema;  // nullptr: it is in none
    const char* name;
    uint64 hash;  // of its own row
};

class Objects {
  public:
    explicit Objects(const Side& side) : side_(side) {}

    /// Reads these blocks of a catalog. Blocks that are the same on both sides may be left out.
    void read(const ClassRow& catalog, Blocks blocks);
    /// Sorts what was read, and makes one of the traits of one aspect.
    void finish();

    /// True if the object came with an extension.
    bool is_of_extension(ObjectKey object);

    std::span<Object> objects() const { return objects_.all(); }
    std::span<Trait> traits() const { return traits_; }

  private:
    void read_row(const ClassRow& catalog, TupleDesc desc, HeapTuple row);
    void add_trait(ObjectKey of, Aspect aspect, uint64 hash);

    const Side& side_;
    Growing<Object> objects_;
    Growing<Trait> all_traits_;
    std::span<Trait> traits_;
    Growing<ObjectKey> extension_members_;
    bool members_known_ = false;
};

/// An object by its key; its name is nullptr if there is none that is worth a word.
Object find_object(const Side& side, ObjectKey key);

/// True if the relation is a catalog.
bool is_catalog(const ClassRow& relation);

}  // namespace testpool::diff
