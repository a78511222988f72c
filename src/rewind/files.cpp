// The files of a database. A write moves a file's modification time to the present; stamp() sets it
// to a moment long past, so that one look at the time tells whether a file was written since. What
// is still in shared buffers is found elsewhere (buffers.h). Where a file system does not let the
// server set that time, or keeps another, every file counts as written.

#include "rewind/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"
#include "pg/growing.h"

namespace testpool::rewind {

namespace {

// An even second: some file systems keep no more of it.
constexpr timespec stamped_time{.tv_sec = 1'000'000'000, .tv_nsec = 0};

/// What is known of the file systems of some tablespaces.
struct Known {
    Oid tablespace;
    bool keeps_stamps;
};
std::array<Known, 32> known;  // one that falls on another's place is tried again

Known& known_of(Oid tablespace) { return known[tablespace % known.size()]; }

bool keeps_stamps(Oid tablespace) {
    const Known& k = known_of(tablespace);
    return k.tablespace != tablespace || k.keeps_stamps;
}

void note_stampless(Oid tablespace) {
    known_of(tablespace) = {tablespace, false};
    const char* name = get_tablespace_name(tablespace);
    log_line(LOG,
             "the file system of tablespace \"%s\" does not keep the times that are set for files: "
             "rewinds there compare whole files",
             name != nullptr ? name : "?");
}

bool is_stamped(const struct stat& file) {
    return file.st_mtim.tv_sec == stamped_time.tv_sec &&
           file.st_mtim.tv_nsec == stamped_time.tv_nsec;
}

template <class Each>
void each_file(Oid database, Oid tablespace, Each each) {
    char* path = GetDatabasePath(database, tablespace);
    DIR* directory = AllocateDir(path);
    if (directory == nullptr)
        ereport(ERROR,
                (errcode_for_file_access(), errmsg("could not open directory \"%s\": %m", path)));
    while (struct dirent* entry = ReadDir(directory, path))
        if (entry->d_name[0] != '.') each(dirfd(directory), entry->d_name);
    FreeDir(directory);
    pfree(path);
}

void remove_temporary(int directory, const char* name) {
    if (unlinkat(directory, name, 0) != 0 && errno != ENOENT)
        ereport(ERROR,
                (errcode_for_file_access(), errmsg("could not remove file \"%s\": %m", name)));
}

/// False if there is no such file: a checkpoint may remove what had been dropped.
bool look(int directory, const char* name, struct stat& file) {
    if (fstatat(directory, name, &file, 0) == 0) return true;
    if (errno != ENOENT)
        ereport(ERROR, (errcode_for_file_access(), errmsg("could not stat file \"%s\": %m", name)));
    return false;
}

/// Sorts what was found, and makes one of all segments of a fork.
Files files_of(std::span<Fork> segments, bool init_file_written) {
    std::ranges::sort(segments, {}, &Fork::name);
    size_t count = 0;
    for (const Fork& segment : segments) {
        if (count > 0 && segments[count - 1].name == segment.name) {
            segments[count - 1].bytes += segment.bytes;
            segments[count - 1].written |= segment.written;
        } else {
            segments[count++] = segment;
        }
    }
    return {segments.first(count), init_file_written};
}

/// Looks at the first file of each tablespace again: the file system may have rounded the time.
void learn(int directory, const char* name, Oid tablespace) {
    struct stat file {};
    if (known_of(tablespace).tablespace == tablespace || !look(directory, name, file)) return;
    if (is_stamped(file))
        known_of(tablespace) = {tablespace, true};
    else
        note_stampless(tablespace);
}

/// False if there is no such file.
bool stamp_file(int directory, const char* name, Oid tablespace) {
    const timespec times[2] = {stamped_time, stamped_time};
    if (utimensat(directory, name, times, 0) == 0) {
        learn(directory, name, tablespace);
        return true;
    }
    if (errno == ENOENT) return false;
    if (errno == EIO)
        ereport(ERROR,
                (errcode_for_file_access(), errmsg("could not stamp file \"%s\": %m", name)));
    if (keeps_stamps(tablespace)) note_stampless(tablespace);
    return true;
}

void collect(Oid database, Oid tablespace, Temporary temporary, Growing<Fork>& found,
             bool& init_file_written) {
    each_file(database, tablespace, [&](int directory, const char* file_name) {
        if (is_temporary(file_name)) {
            if (temporary == Temporary::remove) remove_temporary(directory, file_name);
            return;
        }
        ForkName name = parse(tablespace, file_name);
        bool is_init_file = strcmp(file_name, init_file) == 0;
        struct stat file {};
        if ((name.relation == 0 && !is_init_file) || !look(directory, file_name, file)) return;
        if (is_init_file)
            init_file_written = !is_stamped(file);
        else
            found.add({name, file.st_size, !is_stamped(file)});
    });
}

/// Looks at all segments of a fork that was written. False if it has none.
bool is_there(Oid database, const ForkName& name, Fork& fork) {
    int64 segment = 0;
    fork = {name, 0, true};
    for (struct stat file{}; look(AT_FDCWD, path_of(database, name, segment), file); segment++)
        fork.bytes += file.st_size;
    return segment > 0;
}

}  // namespace

// Relation files are named NUMBER[_FORK][.SEGMENT]; see relpath.c.
ForkName parse(Oid tablespace, const char* name) {
    char* end = nullptr;
    ForkName parsed{tablespace, 0, MAIN_FORKNUM};
    if (*name < '1' || *name > '9') return {};
    parsed.relation = static_cast<RelNumber>(strtoul(name, &end, 10));
    if (*end == '_') {
        int length = forkname_chars(end + 1, &parsed.fork);
        if (length == 0) return {};
        end += 1 + length;
    }
    if (*end == '.') strtoul(end + 1, &end, 10);
    return *end == '\0' ? parsed : ForkName{};
}

bool is_temporary(const char* name) {
    return name[0] == 't' && name[1] >= '0' && name[1] <= '9' && strchr(name, '_') != nullptr;
}

Fork* Files::find(const ForkName& name) const {
    auto place = std::ranges::lower_bound(forks, name, {}, &Fork::name);
    return place != forks.end() && place->name == name ? &*place : nullptr;
}

const char* path_of(Oid database, const ForkName& name, int64 segment) {
    const char* directory = GetDatabasePath(database, name.tablespace);
    const char* first = name.fork == MAIN_FORKNUM
                            ? psprintf("%s/%u", directory, name.relation)
                            : psprintf("%s/%u_%s", directory, name.relation, forkNames[name.fork]);
    return segment == 0 ? first : psprintf("%s." INT64_FORMAT, first, segment);
}

std::span<Oid> tablespaces_of(Oid database, Oid own) {
    Growing<Oid> found;
    auto add_if_used = [&](Oid tablespace) {
        if (tablespace == own || !OidIsValid(tablespace)) return;
        if (access(GetDatabasePath(database, tablespace), F_OK) == 0) found.add(tablespace);
    };
    found.add(own);
    add_if_used(DEFAULTTABLESPACE_OID);
    DIR* links = AllocateDir("pg_tblspc");
    while (struct dirent* entry = ReadDir(links, "pg_tblspc"))
        add_if_used(static_cast<Oid>(strtoul(entry->d_name, nullptr, 10)));
    FreeDir(links);
    return found.all();
}

Files scan(Oid database, std::span<const Oid> tablespaces, Temporary temporary) {
    Growing<Fork> found;
    bool init_file_written = true;
    for (Oid tablespace : tablespaces)
        collect(database, tablespace, temporary, found, init_file_written);
    return files_of(found.all(), init_file_written);
}

Files scan(Oid database, const Files& stamped, std::span<const ForkName> written,
           bool init_file_written) {
    Growing<Fork> found;
    auto next = written.begin();  // both are sorted, and so is what is found
    auto add_next = [&] {
        const ForkName& name = *next++;
        if (Fork fork; is_there(database, name, fork)) found.add(fork);
    };
    for (const Fork& fork : stamped.forks) {
        while (next != written.end() && *next < fork.name) add_next();
        if (next != written.end() && *next == fork.name)
            add_next();
        else
            found.add({fork.name, fork.bytes, false});
    }
    while (next != written.end()) add_next();
    return {found.all(), init_file_written};
}

bool keeps_stamps(std::span<const Oid> tablespaces) {
    return std::ranges::all_of(tablespaces, [](Oid t) { return keeps_stamps(t); });
}

void stamp(Oid database, std::span<const Oid> tablespaces) {
    for (Oid tablespace : tablespaces)
        each_file(database, tablespace, [&](int directory, const char* name) {
            if (keeps_stamps(tablespace)) stamp_file(directory, name, tablespace);
        });
}

void stamp(Oid database, Oid tablespace, std::span<const Fork> forks) {
    auto stamp_at = [](const char* path, Oid place) {
        return keeps_stamps(place) && stamp_file(AT_FDCWD, path, place);
    };
    stamp_at(psprintf("%s/%s", GetDatabasePath(database, tablespace), init_file), tablespace);
    for (const Fork& fork : forks) {
        for (int64 segment = 0;; segment++)  // a truncated one leaves empty segments
            if (!stamp_at(path_of(database, fork.name, segment), fork.name.tablespace)) break;
    }
}

}  // namespace testpool::rewind
