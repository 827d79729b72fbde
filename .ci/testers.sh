#!/usr/bin/env bash
# testers.sh conformance | properties: prints the packages whose tests use the conformance suite, or rapid by themselves,
# without those that need an emulator, where a call takes milliseconds.
# testers.sh outside PACKAGE…: prints all packages but these.
set -euo pipefail
if [ "$1" = outside ]; then
	shift
	go list ./... | grep -vxF "$(go list "$@")"
	exit
fi
suite=$(go list -m)/conformance
emulator=$(go list -m)/backend/dynamo/dynamotest
rapid=pgregory.net/rapid

imports=$(go list -f '{{.ImportPath}} {{join .TestImports " "}} {{join .XTestImports " "}} ' ./... | grep -vF " $emulator ")
case $1 in
conformance) found=$(grep -F " $suite " <<<"$imports" || true) ;;
properties) found=$(grep -F " $rapid " <<<"$imports" || true) ;;
*) echo "testers.sh: conformance, properties or outside, not $1" >&2 && exit 2 ;;
esac
found=$(cut -d ' ' -f 1 <<<"$found")
[ -n "$found" ] || { echo "testers.sh: no package's tests use $1" >&2 && exit 1; }
echo "$found"
