// testpool: every test gets its own real, isolated database. This file is the table of contents:
// what the library hooks into PostgreSQL when it is preloaded.

#include "commands.h"
#include "connection.h"
#include "live/command.h"
#include "live/gate.h"
#include "rewind/statistics.h"
#include "session.h"
#include "settings.h"
#include "shmem/shmem.h"

namespace testpool {

namespace {

void require_preload() {
    if (process_shared_preload_libraries_in_progress) return;
    ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                    errmsg("testpool must be loaded when the server starts"),
                    errdetail("Its processes and its shared memory are set up then."),
                    errhint("Add 'testpool' to shared_preload_libraries in postgresql.conf and "
                            "restart the server.")));
}

void register_process(const char* name, const char* main, int argument) {
    BackgroundWorker process{};
    process.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
    process.bgw_start_time = BgWorkerStart_RecoveryFinished;
    process.bgw_restart_time = 1;
    process.bgw_main_arg = Int32GetDatum(argument);
    strlcpy(process.bgw_library_name, "testpool", sizeof(process.bgw_library_name));
    strlcpy(process.bgw_function_name, main, sizeof(process.bgw_function_name));
    strlcpy(process.bgw_name, name, sizeof(process.bgw_name));
    strlcpy(process.bgw_type, name, sizeof(process.bgw_type));
    RegisterBackgroundWorker(&process);
}

// None while pg_upgrade runs the server: it drops the home database and makes it again.
void register_processes() {
    if (IsBinaryUpgrade) return;
    register_process("testpool launcher", "testpool_launcher_main", 0);
    for (int worker = 0; worker < settings::workers; worker++)
        register_process("testpool worker", "testpool_worker_main", worker);
}

}  // namespace

}  // namespace testpool

extern "C" {
PG_MODULE_MAGIC;
PGDLLEXPORT void _PG_init();
}

void _PG_init() {
    using namespace testpool;
    require_preload();
    settings::define();
    shmem::define();
    session::define();
    gate::define();
    live::define();
    connection::define();
    commands::define();
    statistics::define();
    register_processes();
}
