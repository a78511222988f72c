// The files of a database. A write moves a file's modification time to the present; stamp() sets it
// to a moment long past, so that one look at the time tells whether a file was written since. What
// is still in shared buffers is found elsewhere (buffers.h).

#include "rewind/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pg/spi.h"

namespace testpool::rewind {

namespace {

constexpr timespec stamped_time{.tv_sec = 1'000'000'000, .tv_nsec = 123'456'000};

/// What a file's name says; relation 0: it is no relation's.
struct FileName {
    RelNumber relation = 0;
    ForkNumber fork = MAIN_FORKNUM;
};

// Relation files are named NUMBER[_FORK][.SEGMENT]; see relpath.c.
FileName parse(const char* name) {
    char* end = nullptr;
    FileName parsed;
    if (*name < '1' || *name > '9') return {};
    parsed.relation = static_cast<RelNumber>(strtoul(name, &end, 10));
    if (*end == '_') {
        int length = forkname_chars(end + 1, &parsed.fork);
        if (length == 0) return {};
        end += 1 + length;
    }
    if (*end == '.') strtoul(end + 1, &end, 10);
    return *end == '\0' ? parsed : FileName{};
}

bool is_temporary(const char* name) {
    return name[0] == 't' && name[1] >= '0' && name[1] <= '9' && strchr(name, '_') != nullptr;
}

bool is_stamped(const struct stat& file) {
    return file.st_mtim.tv_sec == stamped_time.tv_sec &&
           file.st_mtim.tv_nsec == stamped_time.tv_nsec;
}

template <class Each>
void each_file(Oid database, Oid tablespace, Each each) {
    char* path = GetDatabasePath(database, tablespace);
    DIR* directory = AllocateDir(path);
    int descriptor = directory != nullptr ? dirfd(directory) : -1;
    while (struct dirent* entry = ReadDir(directory, path))
        if (entry->d_name[0] != '.') each(descriptor, entry->d_name);
    FreeDir(directory);
    pfree(path);
}

void remove_temporary(int directory, const char* name) {
    if (unlinkat(directory, name, 0) != 0 && errno != ENOENT)
        ereport(ERROR,
                (errcode_for_file_access(), errmsg("could not remove file \"%s\": %m", name)));
}

class Collector {
  public:
    void add(const FileName& name, const struct stat& file) {
        if (count_ == room_) {
            room_ *= 2;
            forks_ = static_cast<Fork*>(repalloc(forks_, sizeof(Fork) * room_));
        }
        forks_[count_++] = {name.relation, name.fork, file.st_size, !is_stamped(file)};
    }

    /// Sorts, and makes one of all segments of a fork.
    Files finish() {
        std::sort(forks_, forks_ + count_, [](auto& a, auto& b) { return a.key() < b.key(); });
        int last = 0;
        for (int i = 1; i < count_; i++) {
            if (forks_[i].key() == forks_[last].key()) {
                forks_[last].bytes += forks_[i].bytes;
                forks_[last].written |= forks_[i].written;
            } else {
                forks_[++last] = forks_[i];
            }
        }
        Files files;
        files.forks = forks_;
        files.count = count_ == 0 ? 0 : last + 1;
        return files;
    }

  private:
    int room_ = 1024;
    int count_ = 0;
    Fork* forks_ = static_cast<Fork*>(palloc(sizeof(Fork) * room_));
};

const char* name_of(const Fork& fork) {
    if (fork.fork == MAIN_FORKNUM) return psprintf("%u", fork.relation);
    return psprintf("%u_%s", fork.relation, forkNames[fork.fork]);
}

void stamp_file(int directory, const char* name) {
    const timespec times[2] = {stamped_time, stamped_time};
    if (utimensat(directory, name, times, 0) != 0 && errno != ENOENT)
        ereport(ERROR,
                (errcode_for_file_access(), errmsg("could not stamp file \"%s\": %m", name)));
}

char* file_in(Oid database, Oid tablespace, const char* name) {
    return psprintf("%s/%s", GetDatabasePath(database, tablespace), name);
}

struct Content {
    char* bytes = nullptr;
    size_t length = 0;
};

/// The whole of a small file; no bytes: it does not exist.
Content read_file(const char* path) {
    int descriptor = OpenTransientFile(path, O_RDONLY | PG_BINARY);
    if (descriptor < 0 && errno == ENOENT) return {};
    struct stat file {};
    Content content;
    if (descriptor >= 0 && fstat(descriptor, &file) == 0) {
        content.length = file.st_size;
        content.bytes = static_cast<char*>(palloc(content.length + 1));
        if (read(descriptor, content.bytes, content.length) ==
            static_cast<ssize_t>(content.length)) {
            CloseTransientFile(descriptor);
            return content;
        }
    }
    ereport(ERROR, (errcode_for_file_access(), errmsg("could not read file \"%s\": %m", path)));
    pg_unreachable();
}

void write_file(const char* path, const Content& content) {
    int descriptor = OpenTransientFile(path, O_WRONLY | O_CREAT | O_TRUNC | PG_BINARY);
    if (descriptor < 0 ||
        write(descriptor, content.bytes, content.length) != static_cast<ssize_t>(content.length))
        ereport(ERROR,
                (errcode_for_file_access(), errmsg("could not write file \"%s\": %m", path)));
    CloseTransientFile(descriptor);
}

}  // namespace

Fork* Files::find(RelNumber relation, ForkNumber fork) const {
    std::pair key{relation, fork};
    Fork* place = std::lower_bound(forks, forks + count, key,
                                   [](const Fork& a, const auto& b) { return a.key() < b; });
    return place != forks + count && place->key() == key ? place : nullptr;
}

Files scan(Oid database, Oid tablespace) {
    Collector collector;
    bool init_file_written = true;
    each_file(database, tablespace, [&](int directory, const char* name) {
        if (is_temporary(name)) return remove_temporary(directory, name);
        FileName parsed = parse(name);
        bool is_init_file = strcmp(name, "pg_internal.init") == 0;
        if (parsed.relation == 0 && !is_init_file) return;
        struct stat file {};
        if (fstatat(directory, name, &file, 0) != 0) {
            if (errno == ENOENT) return;  // a checkpoint removed what had been dropped
            ereport(ERROR,
                    (errcode_for_file_access(), errmsg("could not stat file \"%s\": %m", name)));
        }
        if (is_init_file)
            init_file_written = !is_stamped(file);
        else
            collector.add(parsed, file);
    });
    Files files = collector.finish();
    files.init_file_written = init_file_written;
    return files;
}

void stamp(Oid database, Oid tablespace) {
    each_file(database, tablespace,
              [&](int directory, const char* name) { stamp_file(directory, name); });
}

void stamp(Oid database, Oid tablespace, std::span<const Fork> forks) {
    constexpr int64 segment_bytes = int64{RELSEG_SIZE} * BLCKSZ;
    char* path = GetDatabasePath(database, tablespace);
    DIR* directory = AllocateDir(path);
    if (directory == nullptr)
        ereport(ERROR,
                (errcode_for_file_access(), errmsg("could not open directory \"%s\": %m", path)));
    stamp_file(dirfd(directory), "pg_internal.init");
    for (const Fork& fork : forks) {
        const char* name = name_of(fork);
        stamp_file(dirfd(directory), name);
        for (int64 segment = 1; segment <= fork.bytes / segment_bytes; segment++)
            stamp_file(dirfd(directory), psprintf("%s." INT64_FORMAT, name, segment));
    }
    FreeDir(directory);
}

bool has_other_tablespaces(Oid database, Oid tablespace) {
    bool some = false;
    spi([&] {
        static Statement<1> others{
            "SELECT oid FROM pg_catalog.pg_tablespace WHERE spcname <> 'pg_global' AND oid <> $1",
            {OIDOID}};
        others.each_row({Value::of(tablespace)}, [&](const Row& row) {
            some |= access(GetDatabasePath(database, row.oid(1)), F_OK) == 0;
        });
    });
    return some;
}

void copy_init_file(Oid source, Oid target, Oid tablespace) {
    Content content = read_file(file_in(source, tablespace, "pg_internal.init"));
    const char* path = file_in(target, tablespace, "pg_internal.init");
    if (content.bytes != nullptr)
        write_file(path, content);
    else
        unlink(path);
}

bool same_relation_map(Oid one, Oid other, Oid tablespace) {
    Content a = read_file(file_in(one, tablespace, "pg_filenode.map"));
    Content b = read_file(file_in(other, tablespace, "pg_filenode.map"));
    return a.bytes != nullptr && b.bytes != nullptr && a.length == b.length &&
           memcmp(a.bytes, b.bytes, a.length) == 0;
}

}  // namespace testpool::rewind
