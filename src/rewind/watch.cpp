// What was written to the files of a database: inotify, which queues an event for each write to a
// file in a watched directory, whichever process writes. The event is in the queue when write()
// returns, so whoever looks for dirty buffers first and then reads the queue misses nothing.

#include "rewind/watch.h"

#include "log.h"

#ifdef __linux__
#include <sys/inotify.h>
#include <unistd.h>
#endif

namespace testpool::rewind {

#ifdef __linux__

namespace {

constexpr int most_databases = 128;  // watched by one process
constexpr int most_tablespaces = 4;  // of one database
constexpr int most_forks = 4096;     // written to one database
constexpr uint32 events_wanted = IN_MODIFY | IN_CREATE | IN_DELETE | IN_MOVE | IN_ONLYDIR;

struct Directory {
    Oid tablespace;
    int descriptor;
};

struct Watched {
    Oid database;  // invalid: a free place
    uint64 used;   // the larger the later
    int directory_count;
    Directory directories[most_tablespaces];
    bool gone;  // so is a directory, and the kernel no longer watches it
    bool lost;  // something happened that the forks do not tell
    bool init_file;
    int count;
    int room;
    ForkName* forks;
};

Watched all[most_databases];
int queue = -1;
bool unavailable = false;
uint64 clock_ticks = 0;

bool open_queue() {
    if (queue >= 0 || unavailable) return queue >= 0;
    queue = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    unavailable = queue < 0;
    if (unavailable)
        log_line(LOG,
                 "rewinding looks at every file of a database, because the kernel cannot tell what "
                 "is written: %m");
    else
        ReserveExternalFD();
    return queue >= 0;
}

Watched* find(Oid database) {
    for (Watched& w : all)
        if (w.database == database) return &w;
    return nullptr;
}

void forget(Watched& w) {
    for (int i = 0; i < w.directory_count; i++)
        inotify_rm_watch(queue, w.directories[i].descriptor);
    w.database = InvalidOid;
    w.directory_count = 0;
}

/// A free place, or that of the database that was looked at longest ago.
Watched& place() {
    Watched* oldest = &all[0];
    for (Watched& w : all) {
        if (!OidIsValid(w.database)) return w;
        if (w.used < oldest->used) oldest = &w;
    }
    forget(*oldest);
    return *oldest;
}

void add(Watched& w, const ForkName& name) {
    if (w.count > 0 && w.forks[w.count - 1] == name) return;
    if (w.count == w.room) {
        if (w.room == most_forks) {
            w.lost = true;
            return;
        }
        w.room = w.room == 0 ? 64 : w.room * 2;
        size_t bytes = sizeof(ForkName) * w.room;
        w.forks =
            static_cast<ForkName*>(w.forks == nullptr ? MemoryContextAlloc(TopMemoryContext, bytes)
                                                      : repalloc(w.forks, bytes));
    }
    w.forks[w.count++] = name;
}

void note(Watched& w, Oid tablespace, const inotify_event& event) {
    ForkName name = event.len > 0 ? parse(tablespace, event.name) : ForkName{};
    if (name.relation != 0)
        add(w, name);
    else if (event.len > 0 && strncmp(event.name, init_file, strlen(init_file)) == 0)
        w.init_file = true;  // it is written under another name and renamed
    else if (event.len == 0 || is_temporary(event.name))
        w.lost = true;
}

void note(const inotify_event& event) {
    for (Watched& w : all) {
        if (!OidIsValid(w.database)) continue;
        if ((event.mask & IN_Q_OVERFLOW) != 0) w.lost = true;
        for (int i = 0; i < w.directory_count; i++) {
            if (w.directories[i].descriptor != event.wd) continue;
            if ((event.mask & IN_IGNORED) != 0) w.gone = true;
            note(w, w.directories[i].tablespace, event);
        }
    }
}

void read_queue() {
    alignas(inotify_event) static char events[64 * 1024];
    for (;;) {
        ssize_t length = read(queue, events, sizeof(events));
        if (length < 0 && errno == EINTR) continue;
        if (length <= 0) return;
        for (char* at = events; at < events + length;) {
            auto* event = reinterpret_cast<inotify_event*>(at);
            note(*event);
            at += sizeof(inotify_event) + event->len;
        }
    }
}

bool same_directories(const Watched& w, std::span<const Oid> tablespaces) {
    return static_cast<size_t>(w.directory_count) == tablespaces.size() &&
           std::equal(tablespaces.begin(), tablespaces.end(), w.directories,
                      [](Oid one, const Directory& other) { return one == other.tablespace; });
}

/// False if the kernel will not.
bool add_directories(Watched& w, Oid database, std::span<const Oid> tablespaces) {
    w.directory_count = 0;
    if (tablespaces.size() > most_tablespaces) return false;
    for (Oid tablespace : tablespaces) {
        int descriptor =
            inotify_add_watch(queue, GetDatabasePath(database, tablespace), events_wanted);
        if (descriptor < 0) return false;
        w.directories[w.directory_count++] = {tablespace, descriptor};
    }
    return true;
}

}  // namespace

bool watch(Oid database, std::span<const Oid> tablespaces) {
    if (!open_queue()) return false;
    read_queue();
    Watched* w = find(database);
    if (w == nullptr || w->gone || !same_directories(*w, tablespaces)) {
        if (w != nullptr) forget(*w);
        w = &place();
        if (!add_directories(*w, database, tablespaces)) {
            forget(*w);
            return false;
        }
        w->database = database;
        w->gone = false;
    }
    w->used = ++clock_ticks;
    w->lost = false;
    w->init_file = false;
    w->count = 0;
    return true;
}

Written written_to(Oid database, std::span<const Oid> tablespaces) {
    Watched* w = queue >= 0 ? find(database) : nullptr;
    if (w == nullptr || !same_directories(*w, tablespaces)) return {};
    read_queue();
    if (w->lost) return {};
    std::sort(w->forks, w->forks + w->count);
    w->count = static_cast<int>(std::unique(w->forks, w->forks + w->count) - w->forks);
    return {true, {w->forks, static_cast<size_t>(w->count)}, w->init_file};
}

#else

bool watch(Oid /*database*/, std::span<const Oid> /*tablespaces*/) { return false; }
Written written_to(Oid /*database*/, std::span<const Oid> /*tablespaces*/) { return {}; }

#endif

}  // namespace testpool::rewind
