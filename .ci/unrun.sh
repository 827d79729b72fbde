#!/usr/bin/env bash
# unrun.sh FOLDER: prints the tests that were skipped, by the logs of gotestsum in a folder, and why if they lacked a
# DynamoDB or a tool.
set -uo pipefail
cat "$1"/*.json 2>/dev/null | grep '"Action":"skip".*"Test":' |
	sed 's/.*"Package":"\([^"]*\)".*"Test":"\([^"/]*\).*/\1 \2/' | sort | uniq -c |
	awk '{print "  skipped: " $2 " " $3 ($1 > 1 ? " (" $1 " times)" : "")}'
# Each package that lacks something prints the same reason.
cat "$1"/*.json 2>/dev/null | grep -oE '"Output":"(dynamotest|stacktest): not run: [^"]*' |
	sed -E 's/.*: (no [A-Za-z-]+ for tests)/  \1/; s/\\n$//' | sort -u
exit 0
