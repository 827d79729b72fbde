package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// elsewhere are commands of the library for Python that there are not here, each with what to do instead. One that ends with a
// hyphen stands for all that begin so.
var elsewhere = []struct {
	command string
	later   bool // it may come
	instead string
}{
	{"entity disable", true, "store a limit that one request uses up: zae-limiter entity set-limits ID -l rpm:1/3650day"},
	{"entity enable", true, "delete the limits that stand in the way: zae-limiter entity delete-limits ID"},
	{"entity bypass", true, "store limits that nobody reaches: zae-limiter entity set-limits ID -l rpm:1000000000000000"},
	{"entity set-cascade", false, "zae-limiter entity update ID --cascade, or --no-cascade"},
	{"entity clear-", true, "delete the limits: zae-limiter entity delete-limits ID"},
	{"entity top-up", true, "make the bucket full again: zae-limiter reset ID RESOURCE"},
	{"entity reset", false, "zae-limiter reset ID RESOURCE"},
	{"entity list-resources", false, "zae-limiter resource list --with-entity-limits"},
	{"resource disable", true, "store a limit that one request uses up: zae-limiter resource set-defaults NAME -l rpm:1/3650day"},
	{"resource enable", true, "store the limits that are to hold: zae-limiter resource set-defaults NAME -l rpm:100"},
	{"resource bypass", true, "store limits that nobody reaches: zae-limiter resource set-defaults NAME -l rpm:1000000000000000"},
	{"resource set-cascade", true, "set it for each entity: zae-limiter entity update ID --cascade"},
	{"resource clear-", true, "delete the limits: zae-limiter resource delete-defaults NAME"},
	{"namespace orphans", false, "zae-limiter namespace list, whose STATE tells"},
	{"limits cfn-template", false, "limits are no part of a stack here: zae-limiter limits apply -f limits.yaml"},
	{"loadtest deploy", false, "the load is sent by this process: zae-limiter loadtest"},
	{"loadtest push", false, "the load is sent by this process: zae-limiter loadtest"},
	{"loadtest run", false, "the load is sent by this process: zae-limiter loadtest"},
	{"loadtest ui", false, "the load is sent by this process, and shows its progress: zae-limiter loadtest"},
	{"loadtest tune", false, "the load is sent by this process: zae-limiter loadtest --rate 100 --entities 10"},
	{"loadtest delete", false, "the load removes what it has made: zae-limiter loadtest"},
	{"loadtest list", false, "the load is sent by this process: zae-limiter loadtest"},
}

// elsewhereFlags are flags of it, the same.
var elsewhereFlags = []struct{ flag, instead string }{
	{"--soft", "a limit here denies whenever it is used up; see what is used with: zae-limiter usage summary"},
	{"--idempotency-key", "what is set here replaces what is stored, so that setting it again changes nothing"},
	{"--start-event-id", "pass --after with 'next' of the list before: zae-limiter audit list --after POSITION"},
}

// missing says of a command line that cannot be parsed what to do instead, if the library for Python has such a command; else "".
func missing(root *kong.Node, args []string) string {
	at := cursor{node: root, flags: root.Flags}
	for _, arg := range args {
		expected := at.open == nil && !at.raw
		at.pass(arg)
		if !expected {
			continue
		}
		name, _, _ := strings.Cut(arg, "=")
		for _, e := range elsewhereFlags {
			if e.flag == name && at.long(name) == nil {
				return fmt.Sprintf("%s is not supported yet; %s", e.flag, e.instead)
			}
		}
		path := strings.TrimPrefix(at.node.FullPath(), root.Name+" ") + " " + arg
		for _, e := range elsewhere {
			if path != e.command && (!strings.HasSuffix(e.command, "-") || !strings.HasPrefix(path, e.command)) {
				continue
			}
			if slices.ContainsFunc(at.node.Children, func(n *kong.Node) bool { return n.Name == arg }) {
				continue
			}
			if e.later {
				return fmt.Sprintf("%s is not supported yet; instead, %s", path, e.instead)
			}
			return fmt.Sprintf("%s is not a command here; instead, %s", path, e.instead)
		}
	}
	return ""
}
