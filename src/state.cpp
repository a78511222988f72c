// How rows are found and counted, and which templates are to be looked at: what a look costs
// depends on what has changed since the last one, and not on how many rows there are.

#include "state.h"

#include "settings.h"

namespace testpool {

namespace {

// ---- lists
// ----------------------------------------------------------------------------------------

template <class Item>
void append(Queue<Item>& queue, Link<Item>& link, Item& item) {
    link.item = &item;
    dlist_push_tail(&queue.list, &link.node);
    queue.length++;
}

template <class Item>
void unlink(Queue<Item>& queue, Link<Item>& link) {
    dlist_delete(&link.node);
    queue.length--;
}

/// By the time since when they are ready; mostly it is the latest.
void append_by_time(Queue<Database>& queue, Database& d) {
    dlist_node* before = dlist_is_empty(&queue.list) ? &queue.list.head : queue.list.head.prev;
    auto database_at = [](dlist_node* node) {
        return reinterpret_cast<Link<Database>*>(node)->item;
    };
    while (before != &queue.list.head && database_at(before)->ready_at > d.ready_at)
        before = before->prev;
    if (before == &queue.list.head) {
        d.stage.item = &d;
        dlist_push_head(&queue.list, &d.stage.node);
    } else {
        d.stage.item = &d;
        dlist_insert_after(before, &d.stage.node);
    }
    queue.length++;
}

// ---- indexes
// --------------------------------------------------------------------------------------

template <class Key, class Item>
struct Entry {
    Key key;
    Item* item;
};

template <class Key, class Item>
HTAB* new_index(const State& state, const char* name, HASHCTL how = {}, int flags = HASH_BLOBS) {
    constexpr long expected = 64;
    how.keysize = sizeof(Key);
    how.entrysize = sizeof(Entry<Key, Item>);
    how.hcxt = state.memory;
    return hash_create(name, expected, &how, HASH_ELEM | HASH_CONTEXT | flags);
}

template <class Item, class Key>
Item* find(HTAB* index, const Key& key) {
    auto* entry = static_cast<Entry<Key, Item>*>(hash_search(index, &key, HASH_FIND, nullptr));
    return entry != nullptr ? entry->item : nullptr;
}

template <class Key, class Item>
void put(HTAB* index, const Key& key, Item& item) {
    auto* entry = static_cast<Entry<Key, Item>*>(hash_search(index, &key, HASH_ENTER, nullptr));
    entry->item = &item;
}

/// Unless another item is found there by now.
template <class Key, class Item>
void take(HTAB* index, const Key& key, const Item& item) {
    if (find<Item>(index, key) == &item) hash_search(index, &key, HASH_REMOVE, nullptr);
}

uint32 hash_of_text(const void* key, Size /*size*/) {
    const char* text = *static_cast<const char* const*>(key);
    return hash_bytes(reinterpret_cast<const unsigned char*>(text), static_cast<int>(strlen(text)));
}

int compare_texts(const void* a, const void* b, Size /*size*/) {
    return strcmp(*static_cast<const char* const*>(a), *static_cast<const char* const*>(b));
}

HTAB* new_index_by_text(const State& state, const char* name) {
    HASHCTL how{};
    how.hash = hash_of_text;
    how.match = compare_texts;
    return new_index<const char*, Template>(state, name, how, HASH_FUNCTION | HASH_COMPARE);
}

/// Without what may stand behind the end of the text.
NameData padded(const char* name) {
    NameData key{};
    strlcpy(NameStr(key), name, NAMEDATALEN);
    return key;
}

// ---- what is filed where
// --------------------------------------------------------------------------

bool is_living(const Template& t, TemplateState state) {
    return !t.is_root() && state != TemplateState::discarded;
}

Queue<Database>* queue_of(Database& d) {
    if (d.state == DatabaseState::leased || d.state == DatabaseState::kept) return nullptr;
    bool waits = d.state == DatabaseState::ready && !d.passed_over;
    return waits ? &d.of->ready : &d.of->unsettled;
}

void enqueue(Database& d) {
    Queue<Database>* queue = queue_of(d);
    if (queue == d.queue) return;
    if (d.queue != nullptr) unlink(*d.queue, d.stage);
    d.queue = queue;
    if (queue == &d.of->ready)
        append_by_time(*queue, d);
    else if (queue != nullptr)
        append(*queue, d.stage, d);
}

void index(State& state, Database& d, Oid oid, const NameData& name, LeaseKey lease) {
    if (oid != d.filed_oid) {
        if (OidIsValid(d.filed_oid)) take(state.databases_by_oid, d.filed_oid, d);
        if (OidIsValid(oid)) put(state.databases_by_oid, oid, d);
        d.filed_oid = oid;
    }
    if (memcmp(&name, &d.filed_name, NAMEDATALEN) != 0) {
        if (NameStr(d.filed_name)[0] != '\0') take(state.databases_by_name, d.filed_name, d);
        if (NameStr(name)[0] != '\0') put(state.databases_by_name, name, d);
        d.filed_name = name;
    }
    if (lease != d.filed_lease) {
        if (d.filed_lease != 0) take(state.databases_by_lease, d.filed_lease, d);
        if (lease != 0) put(state.databases_by_lease, lease, d);
        d.filed_lease = lease;
    }
}

void count(int& number, bool& counted, bool counts) {
    number += static_cast<int>(counts) - static_cast<int>(counted);
    counted = counts;
}

void file_quietly(State& state, Database& d) {
    index(state, d, d.oid, padded(NameStr(d.name)), OidIsValid(d.role) ? key_of(d) : 0);
    count(d.of->leased, d.is_leased, d.state == DatabaseState::leased);
    count(d.of->held, d.is_held, OidIsValid(d.role));
    count(d.of->rewindable, d.is_rewindable, can_rewind(d));
    enqueue(d);
}

// ---- timers
// ---------------------------------------------------------------------------------------

const Timer& timer_at(const pairingheap_node* node) {
    return *reinterpret_cast<const Timer*>(node);
}

int earlier_first(const pairingheap_node* a, const pairingheap_node* b, void* /*argument*/) {
    TimestampTz at = timer_at(a).at;
    TimestampTz other = timer_at(b).at;
    return at < other ? 1 : -static_cast<int>(at > other);
}

void set_timer(State& state, Template& t, TimestampTz at) {
    if (t.timer.at == at) return;
    if (t.timer.at != 0) pairingheap_remove(state.timers, &t.timer.node);
    t.timer.item = &t;
    t.timer.at = at;
    if (at != 0) pairingheap_add(state.timers, &t.timer.node);
}

Template* next_due(const State& state) {
    return pairingheap_is_empty(state.timers) ? nullptr
                                              : timer_at(pairingheap_first(state.timers)).item;
}

void leave_starved(State& state, Template& t) {
    if (!t.is_starved) return;
    unlink(state.starved, t.unrest);
    t.is_starved = false;
}

}  // namespace

State* empty_state() {
    MemoryContext memory =
        AllocSetContextCreate(TopMemoryContext, "testpool state", ALLOCSET_DEFAULT_SIZES);
    auto* state = static_cast<State*>(MemoryContextAllocZero(memory, sizeof(State)));
    state->memory = memory;
    for (Queue<Template>* queue : {&state->templates, &state->restless, &state->starved})
        dlist_init(&queue->list);
    dlist_init(&state->databases.list);
    state->templates_by_id = new_index<int32, Template>(*state, "testpool templates by id");
    state->templates_by_hash = new_index_by_text(*state, "testpool templates by hash");
    state->databases_by_id = new_index<int64, Database>(*state, "testpool databases by id");
    state->databases_by_oid = new_index<Oid, Database>(*state, "testpool databases by OID");
    state->databases_by_name = new_index<NameData, Database>(*state, "testpool databases by name");
    state->databases_by_lease =
        new_index<LeaseKey, Database>(*state, "testpool databases by lease");
    MemoryContext caller = MemoryContextSwitchTo(memory);
    state->timers = pairingheap_allocate(earlier_first, nullptr);
    MemoryContextSwitchTo(caller);
    return state;
}

Template* find_template(const State& state, int32 id) {
    return find<Template>(state.templates_by_id, id);
}

Template* find_living(const State& state, const char* hash) {
    return find<Template>(state.templates_by_hash, hash);
}

Database* find_database(const State& state, const char* name) {
    return find<Database>(state.databases_by_name, padded(name));
}

Database* find_database(const State& state, int64 id) {
    return find<Database>(state.databases_by_id, id);
}

Database* find_database_of(const State& state, Oid oid) {
    return find<Database>(state.databases_by_oid, oid);
}

LeaseKey key_of(const Template& t) { return -t.claimed_at; }
LeaseKey key_of(const Database& d) { return d.leased_at; }

Database* find_leased(const State& state, LeaseKey lease) {
    return find<Database>(state.databases_by_lease, lease);
}

Template* find_claimed(const State& state, LeaseKey claim) {
    for (Template& t : templates(state))
        if (t.state == TemplateState::building && key_of(t) == claim) return &t;
    return nullptr;
}

bool can_rewind(const Database& d) {
    return d.rewindable && settings::may_rewind() && d.of->state == TemplateState::finalized;
}

bool is_leaving(const Database& d) {
    return d.state == DatabaseState::recycling && !can_rewind(d) && !OidIsValid(d.role);
}

bool will_be_ready(const Database& d) {
    bool coming = d.state == DatabaseState::cloning ||
                  (d.state == DatabaseState::recycling && can_rewind(d) && d.barrier == 0);
    return coming && !OidIsValid(d.role);
}

void add(State& state, Template& t) {
    for (Queue<Database>* queue : {&t.clones, &t.ready, &t.unsettled}) dlist_init(&queue->list);
    append(state.templates, t.place, t);
    put(state.templates_by_id, t.id, t);
    t.filed_state = t.state;
    if (is_living(t, t.state)) put(state.templates_by_hash, t.hash, t);
    file(state, t);
}

void add(State& state, Database& d) {
    append(state.databases, d.place, d);
    append(d.of->clones, d.sibling, d);
    put(state.databases_by_id, d.id, d);
    file(state, d);
}

void file(State& state, Template& t) {
    count(state.template_databases, t.has_database, OidIsValid(t.oid));
    if (is_living(t, t.filed_state) && !is_living(t, t.state))
        take(state.templates_by_hash, t.hash, t);
    if (t.state != t.filed_state)
        for (Database& d : Each<Database>(t.clones.list)) file_quietly(state, d);
    t.filed_state = t.state;
    disturb(state, t);
}

void file(State& state, Database& d) {
    file_quietly(state, d);
    disturb(state, *d.of);
}

void file_all(State& state) {
    for (Template& t : templates(state)) file(state, t);
    for (Database& d : databases(state)) file(state, d);
}

void remove(State& state, Template& t) {
    unlink(state.templates, t.place);
    take(state.templates_by_id, t.id, t);
    if (is_living(t, t.filed_state)) take(state.templates_by_hash, t.hash, t);
    count(state.template_databases, t.has_database, false);
    settle(state, t, false);
    set_timer(state, t, 0);
}

void remove(State& state, Database& d) {
    disturb(state, *d.of);
    unlink(state.databases, d.place);
    unlink(d.of->clones, d.sibling);
    if (d.queue != nullptr) unlink(*d.queue, d.stage);
    take(state.databases_by_id, d.id, d);
    index(state, d, InvalidOid, NameData{}, 0);
    count(d.of->leased, d.is_leased, false);
    count(d.of->held, d.is_held, false);
    count(d.of->rewindable, d.is_rewindable, false);
}

void disturb(State& state, Template& t) {
    if (t.is_restless) return;
    leave_starved(state, t);
    append(state.restless, t.unrest, t);
    t.is_restless = true;
}

void disturb_all(State& state) {
    for (Template& t : templates(state)) disturb(state, t);
}

void settle(State& state, Template& t, bool starved) {
    leave_starved(state, t);
    if (t.is_restless) unlink(state.restless, t.unrest);
    t.is_restless = false;
    if (starved) append(state.starved, t.unrest, t);
    t.is_starved = starved;
    set_timer(state, t, t.look_at);
}

void disturb_starved(State& state) {
    for (Template& t : Each<Template>(state.starved.list)) disturb(state, t);
}

void disturb_due(State& state) {
    TimestampTz now = GetCurrentTimestamp();
    for (Template* t = next_due(state); t != nullptr && t->timer.at <= now; t = next_due(state)) {
        set_timer(state, *t, 0);
        disturb(state, *t);
    }
}

void look_again_in_time(State& state) {
    const Template* t = next_due(state);
    if (t != nullptr && (state.look_again == 0 || t->timer.at < state.look_again))
        state.look_again = t->timer.at;
}

}  // namespace testpool
