#!/bin/sh
# Stands in for the agent's bootstrap. Sleeps BUILDSCALER_TEST_DURATION_SECONDS,
# then exits with BUILDSCALER_TEST_EXIT_STATUS; both come from the environment of
# the BuildkiteJob. One line in @RUNS@ says that it began, another how it ended.

tell() {
    echo "$1 $BUILDKITE_JOB_ID $BUILDSCALER_TEST_POD" >>"@RUNS@"
}

interrupted() {
    kill "$sleeping" 2>/dev/null
    tell interrupted
    exit 143
}

sleeping=
trap interrupted TERM INT
tell begun
sleep "${BUILDSCALER_TEST_DURATION_SECONDS:-0}" &
sleeping=$!
wait "$sleeping"
trap '' TERM INT
tell finished
exit "${BUILDSCALER_TEST_EXIT_STATUS:-0}"
