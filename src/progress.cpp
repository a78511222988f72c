// The SQL function that tells what the workers are at. The view testpool.progress puts names to it.

#include "database.h"
#include "disk.h"
#include "shmem/shmem.h"

using namespace testpool;

namespace {

const char* name_of(Task task) {
    switch (task) {
        case Task::create:
            return "create";
        case Task::drop:
            return "drop";
        case Task::seal:
            return "seal";
        case Task::rewind:
            return "rewind";
        case Task::reseal:
            return "reseal";
        case Task::none:
            break;
    }
    return "none";
}

const char* name_of(Phase phase) {
    switch (phase) {
        case Phase::starting:
            return "starting";
        case Phase::ending_sessions:
            return "ending sessions";
        case Phase::copying:
            return "copying files";
        case Phase::completing:
            return "copying shared catalogs";
        case Phase::writing:
            return "writing files";
        case Phase::looking:
            return "looking for changes";
        case Phase::checkpoint:
            return "waiting for a checkpoint";
        case Phase::putting_back:
            return "putting pages back";
        case Phase::vacuuming:
            return "vacuuming";
        case Phase::dropping:
            return "dropping";
    }
    return "unknown";
}

/// Of what is created, how much is there; of what is dropped, how much is left.
int64 bytes_on_disk(const Job& job) {
    Oid tablespace = OidIsValid(job.tablespace) ? job.tablespace : database::tablespace_of(job.oid);
    return disk::bytes_of(job.oid, OidIsValid(tablespace) ? tablespace : DEFAULTTABLESPACE_OID);
}

void put_row(ReturnSetInfo* result, const Progress& progress) {
    const Job& job = progress.job;
    bool moves_files = job.task == Task::create || job.task == Task::drop;
    std::array<Datum, 7> values{
        Int32GetDatum(progress.pid),
        BoolGetDatum(job.of_template),
        Int64GetDatum(job.row),
        CStringGetTextDatum(name_of(job.task)),
        CStringGetTextDatum(name_of(progress.phase)),
        Int64GetDatum(moves_files ? bytes_on_disk(job) : progress.bytes),
        TimestampTzGetDatum(progress.since),
    };
    std::array<bool, 7> nulls{};
    tuplestore_putvalues(result->setResult, result->setDesc, values.data(), nulls.data());
}

}  // namespace

extern "C" {

PG_FUNCTION_INFO_V1(testpool_jobs);
Datum testpool_jobs(PG_FUNCTION_ARGS) {
    InitMaterializedSRF(fcinfo, 0);
    for (int worker = 0; worker < shmem::workers(); worker++) {
        Progress progress = shmem::progress_at(worker);
        if (progress.pid != 0 && progress.job.task != Task::none)
            put_row(reinterpret_cast<ReturnSetInfo*>(fcinfo->resultinfo), progress);
    }
    return Datum{0};
}
}
