#!/bin/sh
# Starts the built program with bounds for its memory: ./start.sh [--small] [--config FILE]. Image, npm and bench start it here.
here=$(dirname "$0")
# Half of the young generation, in MB: without a bound it takes up to 128 MB, by what the machine has.
young=32
if [ "$1" = --small ]; then
  shift
  young=8
  # The heap is collected two fifths above what is in use: what waits for that holds bodies, which are outside of it.
  set -- --heap-growing-percent=40 "$here/dist/main.js" "$@"
  export MALLOC_ARENA_MAX="${MALLOC_ARENA_MAX:-1}" MALLOC_MMAP_THRESHOLD_="${MALLOC_MMAP_THRESHOLD_:-65536}"
else
  # All is collected at twice what is in use, bodies counted in; V8 would mark the whole heap for each 64 MB of bodies, which are outside
  # of it: 12 calls of 1 MB.
  set -- --heap-growing-percent=100 "$here/dist/main.js" "$@"
  counted=--external-memory-accounted-in-global-limit
  # Node 22 knows of no such thing, and would not start.
  if node $counted --version >/dev/null 2>&1; then set -- $counted "$@"; fi
  # Each thread's own arena would keep what it once took.
  export MALLOC_ARENA_MAX="${MALLOC_ARENA_MAX:-2}"
fi
# Pretenuring: where some hundred deliveries wait for long, V8 would make all that follow in the old generation, dead a moment later, and
# each keeps its body until a full collection.
exec node --import "$here/dist/source-maps.js" --max-semi-space-size=$young --no-allocation-site-pretenuring "$@"
