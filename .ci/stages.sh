#!/usr/bin/env bash
# stages.sh STAGE…: runs make targets one after another, each under a headline and with its time; targets joined by + run
# beside each other, and each prints its output when it has ended. A failure does not stop the others, so that one run
# shows all of them; only code that does not compile does. The end says what failed, what was not run, and how many tests
# there were.
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

# run TARGET: runs a target and writes its time and verdict to a file for `report`.
run() {
	local start=$SECONDS verdict=ok
	${MAKE:-make} --no-print-directory "$1" || verdict=FAILED
	echo "$((SECONDS - start)) $verdict" >"$STAGE_LOGS/$1.ended"
}

table=() failed=() unrun=()
stop=
# report TARGET TIME: adds a row to the table, with the processor time of all that ran beside the target.
report() {
	local seconds verdict
	read -r seconds verdict <"$STAGE_LOGS/$1.ended"
	table+=("$(printf '  %-12s %4d s  %4d s of processors  %s' "$1" "$seconds" "$2" "$verdict")")
	[ "$verdict" = ok ] || failed+=("$1")
	[ "$verdict" = ok ] || [ "$1" != build ] || stop=yes
}

for stage in "$@"; do
	targets=(${stage//+/ })
	if [ -n "$stop" ]; then
		unrun+=("${targets[@]}")
		continue
	fi
	before=$used
	if [ ${#targets[@]} -eq 1 ]; then
		printf '\n==> make %s\n' "$stage"
		run "$stage"
	else
		printf '\n==> make %s, beside each other\n' "${targets[*]}"
		for target in "${targets[@]}"; do
			run "$target" >"$STAGE_LOGS/$target.out" 2>&1 &
		done
		wait
		for target in "${targets[@]}"; do
			printf '\n==> make %s\n' "$target"
			cat "$STAGE_LOGS/$target.out"
		done
	fi
	processors
	for target in "${targets[@]}"; do report "$target" $((used - before)); done
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
