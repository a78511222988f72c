// What the databases lie on: asked of the kernel, and tried where it does not tell.

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>
#ifdef __linux__
#include <linux/fs.h>
#include <sys/vfs.h>
#endif

#include "disk.h"

namespace testpool::disk {

namespace {

constexpr const char* in_memory = "tmpfs";

/// Makes a copy that shares its blocks with a file of the directory, in a file that has no name and
/// goes when it is closed.
bool can_share_blocks([[maybe_unused]] const char* directory) {
#if defined(FICLONE) && defined(O_TMPFILE)
    int source = OpenTransientFile(psprintf("%s/PG_VERSION", directory), O_RDONLY);
    int copy = OpenTransientFile(directory, O_TMPFILE | O_RDWR);
    bool shared = source >= 0 && copy >= 0 && ioctl(copy, FICLONE, source) == 0;
    if (copy >= 0) CloseTransientFile(copy);
    if (source >= 0) CloseTransientFile(source);
    return shared;
#else
    return false;
#endif
}

/// From 18 on CREATE DATABASE can be told to.
bool server_shares_blocks() { return GetConfigOption("file_copy_method", true, false) != nullptr; }

struct Tried {
    Oid tablespace;
    bool shares;
};

}  // namespace

int64 free_bytes(Oid tablespace) {
    bool is_default = !OidIsValid(tablespace) || tablespace == DEFAULTTABLESPACE_OID;
    struct statvfs disk {};
    if (statvfs(is_default ? "base" : psprintf("pg_tblspc/%u", tablespace), &disk) != 0)
        return PG_INT64_MAX;
    return static_cast<int64>(disk.f_bavail) * static_cast<int64>(disk.f_frsize);
}

int64 bytes_of(Oid database, Oid tablespace) {
    const char* path = GetDatabasePath(database, tablespace);
    int64 bytes = 0;
    DIR* directory = AllocateDir(path);
    if (directory == nullptr) return 0;
    struct stat file {};
    while (struct dirent* entry = ReadDirExtended(directory, path, LOG))
        if (fstatat(dirfd(directory), entry->d_name, &file, 0) == 0 && S_ISREG(file.st_mode))
            bytes += file.st_size;
    FreeDir(directory);
    return bytes;
}

const char* file_system([[maybe_unused]] Oid database, [[maybe_unused]] Oid tablespace) {
#ifdef __linux__
    constexpr std::pair<uint32, const char*> known[] = {
        {0xef53, "ext4"},         {0x58465342, "xfs"},     {0x9123683e, "btrfs"},
        {0x01021994, in_memory},  {0x794c7630, "overlay"}, {0x2fc12fc1, "zfs"},
        {0xca451a4e, "bcachefs"}, {0x6969, "nfs"}};
    struct statfs disk {};
    if (statfs(GetDatabasePath(database, tablespace), &disk) == 0)
        for (auto [magic, name] : known)
            if (static_cast<uint32>(disk.f_type) == magic) return name;
#endif
    return "an unknown file system";
}

bool is_lasting(Oid database, Oid tablespace) {
    return strcmp(file_system(database, tablespace), in_memory) != 0;
}

bool shares_blocks(Oid database, Oid tablespace) {
    static std::array<Tried, 16> tried;
    static size_t next = 0;
    if (!server_shares_blocks()) return false;
    for (const Tried& place : tried)
        if (place.tablespace == tablespace) return place.shares;
    Tried& place = tried[next++ % tried.size()];
    place = {tablespace, can_share_blocks(GetDatabasePath(database, tablespace))};
    return place.shares;
}

}  // namespace testpool::disk
