#!/usr/bin/env bash
# stages.sh STAGE…: runs make targets one after another, each under a headline and with its time. Targets joined by + run
# beside each other, two at a time in the order given, and each prints its output when it has ended: while one waits for an
# emulator or its last test, the others use the processors. A failure does not stop the others, so that one run shows all of
# them; only code that does not compile does. The end says what failed, what was not run, and how many tests there were.
set -uo pipefail
cd "$(dirname "$0")/.."

outermost=
if [ -z "${STAGE_LOGS:-}" ]; then
	outermost=yes
	STAGE_LOGS=$(mktemp -d)
	trap 'rm -rf "$STAGE_LOGS"' EXIT
fi
export STAGE_LOGS

# run TARGET: runs a target and writes a file for `report`: its seconds, its seconds of processor time, and its verdict. It is
# called in a subshell, because `times` tells of all children of a shell.
run() {
	local start=$SECONDS verdict=ok
	${MAKE:-make} --no-print-directory "$1" || verdict=FAILED
	times >"$STAGE_LOGS/$1.times"
	echo "$((SECONDS - start)) $(awk 'NR == 2 {split($1 "m" $2, t, /[ms]+/); printf "%d", 60 * (t[1] + t[3]) + t[2] + t[4]}' \
		"$STAGE_LOGS/$1.times") $verdict" >"$STAGE_LOGS/$1.ended"
}

# aside TARGET: runs a target, and then prints its output at once.
aside() {
	run "$1" >"$STAGE_LOGS/$1.out" 2>&1
	printf '\n==> make %s\n%s\n' "$1" "$(<"$STAGE_LOGS/$1.out")"
}

table=() failed=() unrun=()
stop=
# report TARGET: adds a row to the table. A target whose shell was killed, or found the disk full, has left no verdict.
report() {
	local seconds=0 processors=0 verdict=KILLED
	if [ -s "$STAGE_LOGS/$1.ended" ]; then
		read -r seconds processors verdict <"$STAGE_LOGS/$1.ended"
	else
		printf '\n==> make %s, until it was killed\n%s\n' "$1" "$(cat "$STAGE_LOGS/$1.out" 2>/dev/null)"
	fi
	table+=("$(printf '  %-12s %4d s  %4d s of processors  %s' "$1" "$seconds" "$processors" "$verdict")")
	[ "$verdict" = ok ] || failed+=("$1")
	[ "$verdict" = ok ] || [ "$1" != build ] || stop=yes
}

for stage in "$@"; do
	targets=(${stage//+/ })
	if [ -n "$stop" ]; then
		unrun+=("${targets[@]}")
		continue
	fi
	if [ ${#targets[@]} -eq 1 ]; then
		printf '\n==> make %s\n' "$stage"
		(run "$stage")
	else
		printf '\n==> make %s, beside each other\n' "${targets[*]}"
		for target in "${targets[@]}"; do
			while [ "$(jobs -rp | wc -l)" -ge 2 ]; do wait -n; done
			aside "$target" &
		done
		wait
	fi
	for target in "${targets[@]}"; do report "$target"; done
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
