// The loose files of a database.

#include "rewind/loose.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rewind/files.h"

namespace testpool::rewind {

namespace {

struct Content {
    char* bytes = nullptr;
    size_t length = 0;
    bool operator==(const Content& other) const {
        return std::string_view{bytes, length} == std::string_view{other.bytes, other.length};
    }
};

char* file_in(Oid database, Oid tablespace, const char* name) {
    return psprintf("%s/%s", GetDatabasePath(database, tablespace), name);
}

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

void copy_init_file(Oid source, Oid target, Oid tablespace) {
    Content content = read_file(file_in(source, tablespace, init_file));
    const char* path = file_in(target, tablespace, init_file);
    if (content.bytes != nullptr)
        write_file(path, content);
    else
        unlink(path);
}

bool has_same_map(Oid source, Oid target, Oid tablespace) {
    constexpr const char* map = "pg_filenode.map";
    return read_file(file_in(source, tablespace, map)) ==
           read_file(file_in(target, tablespace, map));
}

bool copy_relation_map(Oid source, Oid target, Oid tablespace) {
    if (has_same_map(source, target, tablespace)) return false;
    RelationMapCopy(target, tablespace, GetDatabasePath(source, tablespace),
                    GetDatabasePath(target, tablespace));
    return true;
}

}  // namespace testpool::rewind
