#!/usr/bin/env bash
# testers.sh conformance | properties: prints the packages whose tests use the conformance suite, or rapid by themselves,
# without those that need an emulator, where a call takes milliseconds.
# testers.sh outside PACKAGE…: prints all packages but these.
# testers.sh declare PATTERN PACKAGE…: prints those of the packages that declare a test or benchmark that PATTERN of -run or
# -bench may match, because `go test` links the tests of the others, too, and then runs none of them.
set -euo pipefail
case $1 in
outside)
	shift
	go list ./... | grep -vxF "$(go list "$@")"
	exit
	;;
declare)
	# The beginnings of names that are in the pattern. More packages than needed do no harm.
	names=$(grep -oE '(Test|Benchmark)[A-Za-z0-9_]*' <<<"$2" | paste -sd '|')
	shift 2
	found=$(go list -f '{{.ImportPath}} {{.Dir}}' "$@" | while read -r package folder; do
		if grep -qsE "^func ($names)" "$folder"/*_test.go; then echo "$package"; fi
	done)
	[ -n "$found" ] || { echo "testers.sh: no package declares $names" >&2 && exit 1; }
	echo "$found"
	exit
	;;
esac
suite=$(go list -m)/conformance
emulator=$(go list -m)/backend/dynamo/dynamotest
rapid=pgregory.net/rapid

imports=$(go list -f '{{.ImportPath}} {{join .TestImports " "}} {{join .XTestImports " "}} ' ./... | grep -vF " $emulator ")
case $1 in
conformance) found=$(grep -F " $suite " <<<"$imports" || true) ;;
properties) found=$(grep -F " $rapid " <<<"$imports" || true) ;;
*) echo "testers.sh: conformance, properties, outside or declare, not $1" >&2 && exit 2 ;;
esac
found=$(cut -d ' ' -f 1 <<<"$found")
[ -n "$found" ] || { echo "testers.sh: no package's tests use $1" >&2 && exit 1; }
echo "$found"
