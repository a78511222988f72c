// Templates and clones as the launcher knows them: the rows of the catalog, in memory. The diagram
// of the states is in docs/architecture.md.
#pragma once

#include "shmem/tally.h"

namespace testpool {

/// building → finalized → discarded, or building → discarded.
enum class TemplateState : uint8 { building, finalized, discarded };

/// cloning → ready → leased → recycling → ready (rewound) or gone (dropped); leased → kept →
/// recycling; recreate: leased → recycling (→ cloning) → leased; any → failed → gone.
enum class DatabaseState : uint8 { cloning, ready, leased, kept, recycling, failed };

/// The session that claimed a build or acquired a clone.
struct Holder {
    Session session;
    NameData application;
    NameData client;
};

struct Template {
    int32 id;
    const char* hash;  // nullptr: clones of testpool.root_template
    const char* name;
    TemplateState state;
    Oid oid;
    NameData database;
    bool exists;
    bool sealing;
    Oid owner;
    int32 base;
    Holder builder;
    TimestampTz claimed_at;
    TimestampTz finalized_at;
    TimestampTz discarded_at;
    int64 bytes;
    Seal seal;
    const char* clone_strategy;   // how it was last copied, or would be; nullptr: not known yet
    const char* strategy_reason;  // what that was chosen by
    const char* reason;
    int32 failures;
    TimestampTz retry_at;
    const char* warning;      // of what finalize could not do
    const char* drift;        // why it is not what was sealed; nullptr: it is, for all we know
    TimestampTz resealed_at;  // 0: never

    // Not in the catalog:
    ItemPointerData row_at;    // where the catalog has it
    Reply error;               // of the last seal, or the last clone, that failed
    int waiting;               // acquires that wait for a clone
    uint64 oldest_ticket;      // of those
    int prewarm;               // clones that prewarm() waits for
    const char* clone_reason;  // of a used clone that leaves: the next one is in its place
    shmem::Usage usage;        // as of the last take_stock()
    bool stampless;            // its files keep no times
    TimestampTz reseal_at;     // it is not sealed again before
    int reseals;               // that were tried of late
    bool resealing;            // as of the last next_job(): nothing is copied from it

    bool is_root() const { return hash == nullptr; }
};

struct Database {
    int64 id;
    Template* of;
    Oid oid;
    NameData name;
    DatabaseState state;
    int32 generation;
    Oid role;           // valid: leased, kept, or on its way back to being leased
    bool named;         // it has the name that a client connected to
    NameData known_as;  // kept: the name that it had before
    Holder holder;
    TimestampTz created_at;
    TimestampTz ready_at;
    TimestampTz leased_at;
    const char* reason;
    const char* error;
    TimestampTz retry_at;
    const char* recycled;  // "rewind" or "clone": how it last became clean; nullptr: it is new
    int64 recycle_us;
    int32 relations;  // put back by the last rewind
    int64 pages;
    const char* clone_reason;    // why it was not rewound
    const char* sessions_ended;  // by the last live rewind: how many, and why the first

    // Not in the catalog:
    ItemPointerData row_at;         // where the catalog has it
    int failures;                   // in a row
    uint64 barrier;                 // that its rewind waits for until retry_at; 0: none
    bool rewindable;                // its files were stamped since the server started
    const char* unrewindable;       // why it is not, if that is known
    bool binding;                   // something of the cluster depends on it: it leaves soon
    bool live;                      // sessions may stay while it is rewound
    int32 grace;                    // how long they may take to end a transaction, in ms
    int watched_by;                 // the slot of the worker that did it, and that watches them
    TimestampTz passed_over_until;  // somebody's transaction was seen to be altering it
    TransactionId looked_at;  // the next transaction when its row's versions were last an issue
};

/// Everything the launcher knows. Lists of pointers, in `memory`.
struct State {
    MemoryContext memory = nullptr;
    List* templates = NIL;
    List* databases = NIL;
    TimestampTz look_again = 0;     // something is due then; 0: nothing is
    List* awaited = NIL;            // names of databases that clients wait to connect to
    TimestampTz used_at = 0;        // when somebody last acquired
    bool drops_awaited = false;     // a session waits until something is dropped
    bool copied_last = false;       // a large copy was begun later than a drop
    TimestampTz held_up_until = 0;  // drops were seen to wait for a process that does not answer
    int unposted = 0;               // leases and claims for which shared memory has no place
};

/// A List of pointers as a range.
template <class Item>
class Each {
  public:
    explicit Each(const List* list) : list_(list) {}
    struct Iterator {
        const ListCell* cell;
        Item& operator*() const { return *static_cast<Item*>(lfirst(cell)); }
        Iterator& operator++() {
            ++cell;
            return *this;
        }
        bool operator!=(const Iterator& other) const { return cell != other.cell; }
    };
    Iterator begin() const { return {list_ == NIL ? nullptr : list_->elements}; }
    Iterator end() const { return {list_ == NIL ? nullptr : list_->elements + list_->length}; }

  private:
    const List* list_;
};

inline Each<Template> templates(const State& state) { return Each<Template>(state.templates); }
inline Each<Database> databases(const State& state) { return Each<Database>(state.databases); }

}  // namespace testpool
