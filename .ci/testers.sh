#!/usr/bin/env bash
# testers.sh conformance | properties: the packages whose tests use the conformance suite, or rapid by themselves. Those
# that need an emulator are left out: a call takes them milliseconds.
set -euo pipefail
suite=$(go list -m)/conformance
emulator=$(go list -m)/backend/dynamo/dynamotest
rapid=pgregory.net/rapid

imports=$(go list -f '{{.ImportPath}} {{join .TestImports " "}} {{join .XTestImports " "}} ' ./... | grep -vF " $emulator ")
case $1 in
conformance) found=$(grep -F " $suite " <<<"$imports" || true) ;;
properties) found=$(grep -F " $rapid " <<<"$imports" || true) ;;
*) echo "testers.sh: conformance or properties, not $1" >&2 && exit 2 ;;
esac
found=$(cut -d ' ' -f 1 <<<"$found")
[ -n "$found" ] || { echo "testers.sh: no package's tests use $1" >&2 && exit 1; }
echo "$found"
