# shellcheck shell=bash
# What connect/run and frameworks/run share: whether a client's language and packages can be had here, and
# the report, a line of TAP for each client. A client has functions fetch_NAME, which gets what it needs or
# prints why not, build_NAME if there is something to build, and `check NAME`, which runs it.

work=$(mkdir -p "$(dirname "${BASH_SOURCE[0]}")/../build/clients" && cd "$(dirname "${BASH_SOURCE[0]}")/../build/clients" && pwd)

needs() {
    local tool
    for tool; do
        command -v "$tool" >/dev/null || { echo "there is no $tool here" && return 1; }
    done
}

fetched() {
    "$@" >"$work/fetch.log" 2>&1 </dev/null && return
    echo "its packages cannot be fetched: $(grep -m 1 . "$work/fetch.log")"
    return 1
}

home() { psql -XqAt -v ON_ERROR_STOP=1 "$@"; }

# `run_clients SENTENCE CLIENT…`; fails if a client does.
run_clients() {
    local sentence=$1 client why failed=0
    shift
    for client; do
        if ! why=$("fetch_$client"); then
            echo "ok - $client # skip $why"
        elif { ! declare -F "build_$client" >/dev/null || "build_$client"; } && check "$client"; then
            echo "ok - $client: $sentence"
        else
            echo "not ok - $client"
            failed=1
        fi
    done
    return $failed
}
