// Templates and clones as the launcher knows them: the rows of the catalog, in memory. The diagram
// of the states is in docs/architecture.md.
#pragma once

#include "shmem/tally.h"

namespace testpool {

/// Where an item stands in a list; it may be in several.
template <class Item>
struct Link {
    dlist_node node;  // the first member: a node is its link
    Item* item;
};

/// The items of a list. The one that is looked at may leave it meanwhile.
template <class Item>
class Each {
  public:
    explicit Each(const dlist_head& list) : list_(const_cast<dlist_head&>(list)) {}
    struct Iterator {
        dlist_node* node;
        dlist_node* next;
        Item& operator*() const { return *reinterpret_cast<Link<Item>*>(node)->item; }
        Iterator& operator++() {
            node = next;
            next = node->next;
            return *this;
        }
        bool operator!=(const Iterator& other) const { return node != other.node; }
    };
    Iterator begin() const {
        if (dlist_is_empty(&list_)) return end();
        return {list_.head.next, list_.head.next->next};
    }
    Iterator end() const { return {&list_.head, nullptr}; }

  private:
    dlist_head& list_;
};

struct Template;
struct Database;

/// A list that knows its length.
template <class Item>
struct Queue {
    dlist_head list;
    int length;
};

/// building → finalized → discarded, or building → discarded.
enum class TemplateState : uint8 { building, finalized, discarded };

/// cloning → ready → leased → recycling → ready (rewound) or gone (dropped); leased → kept →
/// recycling; recreate: leased → recycling (→ cloning) → leased; any → failed → gone.
enum class DatabaseState : uint8 { cloning, ready, leased, kept, recycling, failed };

/// When a template is due.
struct Timer {
    pairingheap_node node;  // the first member: a node is its timer
    Template* item;
    TimestampTz at;  // 0: at no known time
};

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
    bool paused;               // its pool does not grow, as of the last look at it
    int debt;                  // databases that wait to be dropped, as shared memory was told
    TimestampTz look_at;       // it is due then; 0: at no known time

    // How state.cpp has filed it:
    Link<Template> place;       // in the list of all
    Queue<Database> clones;     // all
    Queue<Database> ready;      // that can be handed out, the longest ready first
    Queue<Database> unsettled;  // that a worker has to do something with, or that are passed over
    int leased;                 // clones that are in use
    int held;                   // that have a role, be they recycled for it or kept
    int rewindable;             // that can be put back page by page
    TemplateState filed_state;
    bool has_database;  // so it takes room
    Link<Template> unrest;
    bool is_restless;
    bool is_starved;
    Timer timer;

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
    bool rewindable;             // its files were stamped, and no crash has come since

    // Not in the catalog:
    ItemPointerData row_at;         // where the catalog has it
    int failures;                   // in a row
    uint64 barrier;                 // that its rewind waits for until retry_at; 0: none
    const char* unrewindable;       // why it is not, if that is known
    bool binding;                   // something of the cluster depends on it: it leaves soon
    bool live;                      // sessions may stay while it is rewound
    int32 grace;                    // how long they may take to end a transaction, in ms
    int watched_by;                 // the slot of the worker that did it, and that watches them
    TimestampTz passed_over_until;  // somebody's transaction was seen to be altering it
    bool passed_over;               // and nobody has looked since that time
    TransactionId looked_at;  // the next transaction when its row's versions were last an issue

    // How state.cpp has filed it:
    Link<Database> place;    // in the list of all
    Link<Database> sibling;  // among the clones of its template
    Link<Database> stage;    // in the queue below
    Queue<Database>* queue;  // of its template; nullptr: in none
    Oid filed_oid;
    NameData filed_name;
    LeaseKey filed_lease;
    bool is_leased;
    bool is_held;
    bool is_rewindable;
};

/// Everything the launcher knows, in `memory`: the rows, how they are found, and which of them are
/// to be looked at.
struct State {
    MemoryContext memory;
    Queue<Template> templates;
    Queue<Database> databases;
    HTAB* templates_by_id;
    HTAB* templates_by_hash;  // those that are not discarded
    HTAB* databases_by_id;
    HTAB* databases_by_oid;
    HTAB* databases_by_name;
    HTAB* databases_by_lease;
    int template_databases;    // templates that have one
    Queue<Template> restless;  // something of them has changed, or there is something to do
    Queue<Template> starved;   // whose pools would grow if there were room
    pairingheap* timers;       // templates that are due at a known time
    TimestampTz look_again;    // something is due then; 0: nothing is
    List* awaited;             // names of databases that clients wait to connect to
    TimestampTz used_at;       // when somebody last acquired
    TimestampTz
        held_up_until;   // some process does not answer those who drop, or rewind, for so long
    bool drops_awaited;  // a session waits until something is dropped
    bool copied_last;    // a large copy was begun later than a drop
    int unposted;        // leases and claims for which shared memory has no place
};

State* empty_state();

inline Each<Template> templates(const State& state) { return Each<Template>(state.templates.list); }
inline Each<Database> databases(const State& state) { return Each<Database>(state.databases.list); }

Template* find_template(const State& state, int32 id);
/// The one of that hash that is not discarded.
Template* find_living(const State& state, const char* hash);
Database* find_database(const State& state, const char* name);
Database* find_database(const State& state, int64 id);
Database* find_database_of(const State& state, Oid oid);

/// The build's claim, and the database's lease; 0: it is not leased.
LeaseKey key_of(const Template& t);
LeaseKey key_of(const Database& d);
/// The database that is leased so, or was built so; nullptr: that lease or claim is over.
Database* find_leased(const State& state, LeaseKey lease);
Template* find_claimed(const State& state, LeaseKey claim);

/// It may be put back page by page.
bool can_rewind(const Database& d);
/// On its way out, with nothing to stop it.
bool is_leaving(const Database& d);
/// On its way to the pool, for nobody in particular.
bool will_be_ready(const Database& d);

/// A row that is new; a database's template is there.
void add(State& state, Template& t);
void add(State& state, Database& d);
/// Files it anew, after any change by which it is found or counted, and has its template looked at.
void file(State& state, Template& t);
void file(State& state, Database& d);
/// Files all of them anew: the settings have changed.
void file_all(State& state);
void remove(State& state, Template& t);
void remove(State& state, Database& d);

/// Has the template looked at; all of them.
void disturb(State& state, Template& t);
void disturb_all(State& state);
/// It need not be looked at before it is disturbed or due; or before there is room for its pool.
void settle(State& state, Template& t, bool starved);
/// Has those looked at that would use the room that there is now.
void disturb_starved(State& state);
/// Has those looked at that are due. The launcher looks again when the next one is.
void disturb_due(State& state);
void look_again_in_time(State& state);

}  // namespace testpool
