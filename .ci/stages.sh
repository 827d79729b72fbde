#!/usr/bin/env bash
# Runs make targets one after another, each under a headline and with its time. It goes on after a failure, so
# that one run tells everything (only what does not compile ends it), and says at the end what failed, what was
# not run, and how many tests there were.
set -uo pipefail
cd "$(dirname "$0")/.."

outermost=
if [ -z "${STAGE_LOGS:-}" ]; then
	outermost=yes
	STAGE_LOGS=$(mktemp -d)
	trap 'rm -rf "$STAGE_LOGS"' EXIT
fi
export STAGE_LOGS

# processors sets used to the seconds of processor time that ended stages have taken.
used=0
processors() {
	times >"$STAGE_LOGS/times" # a subshell would tell of its own children
	used=$(awk 'NR == 2 {for (i = 1; i <= 2; i++) {split($i, t, /[ms]/); sum += 60 * t[1] + t[2]}; printf "%d", sum}' "$STAGE_LOGS/times")
}

table=() failed=() unrun=()
stop=
for stage in "$@"; do
	if [ -n "$stop" ]; then
		unrun+=("$stage")
		continue
	fi
	printf '\n==> make %s\n' "$stage"
	SECONDS=0 before=$used verdict=ok
	if ! ${MAKE:-make} --no-print-directory "$stage"; then
		verdict=FAILED
		failed+=("$stage")
		[ "$stage" != build ] || stop=yes
	fi
	processors
	table+=("$(printf '  %-12s %4d s  %4d s of processors  %s' "$stage" "$SECONDS" $((used - before)) "$verdict")")
done

printf '\n==> stages\n'
printf '%s\n' "${table[@]}"
[ ${#failed[@]} -eq 0 ] || printf 'Failed: %s\n' "${failed[*]}"

# The log of one stage has an event for the end of each test, subtests included.
events() { cat "$STAGE_LOGS"/*.json 2>/dev/null | grep "\"Action\":\"$1\".*\"Test\":"; }
if [ -n "$outermost" ]; then
	skipped=$(.ci/unrun.sh "$STAGE_LOGS")
	if [ ${#unrun[@]} -eq 0 ] && [ -z "$skipped" ]; then
		printf '\nNot run: nothing; every test there is was run.\n'
	else
		printf '\nNot run:\n'
		[ ${#unrun[@]} -eq 0 ] || printf '  make %s\n' "${unrun[@]}"
		[ -z "$skipped" ] || printf '%s\n' "$skipped"
	fi
	printf '%d passed, %d failed, %d skipped\n' "$(events pass | wc -l)" "$(events fail | wc -l)" "$(events skip | wc -l)"
fi
[ ${#failed[@]} -eq 0 ]
