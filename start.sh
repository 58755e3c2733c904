#!/bin/sh
# Starts the built program with bounds for its memory. The image, npm and the bench start it here.
here=$(dirname "$0")
# Two arenas: each thread's own would keep what it once took.
export MALLOC_ARENA_MAX="${MALLOC_ARENA_MAX:-2}"
# Half of the young generation: without a bound it takes up to 128 MB, by what the machine has. And the heap is collected
# a fifth above what is in use, because what waits for that holds bodies, which are outside of it.
exec node --import "$here/dist/source-maps.js" --max-semi-space-size=8 --heap-growing-percent=20 "$here/dist/main.js" "$@"
