package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// pythonCommands lists commands of the Python library that this program does not have, with the alternative for each. A
// command that ends with a hyphen stands for all commands with that prefix.
var pythonCommands = []struct {
	command string
	planned bool // it may be added later
	instead string
}{
	{"entity disable", true, "set a limit that a single request exhausts: zae-limiter entity set-limits ID -l rpm:1/3650day"},
	{"entity enable", true, "delete the limits that deny: zae-limiter entity delete-limits ID"},
	{"entity bypass", true, "set limits that nobody reaches: zae-limiter entity set-limits ID -l rpm:1000000000000000"},
	{"entity set-cascade", false, "zae-limiter entity update ID --cascade, or --no-cascade"},
	{"entity clear-", true, "delete the limits: zae-limiter entity delete-limits ID"},
	{"entity top-up", true, "refill the bucket: zae-limiter reset ID RESOURCE"},
	{"entity reset", false, "zae-limiter reset ID RESOURCE"},
	{"entity list-resources", false, "zae-limiter resource list --with-entity-limits"},
	{"resource disable", true, "set a limit that a single request exhausts: zae-limiter resource set-defaults NAME -l rpm:1/3650day"},
	{"resource enable", true, "set the limits that should apply: zae-limiter resource set-defaults NAME -l rpm:100"},
	{"resource bypass", true, "set limits that nobody reaches: zae-limiter resource set-defaults NAME -l rpm:1000000000000000"},
	{"resource set-cascade", true, "set it for each entity: zae-limiter entity update ID --cascade"},
	{"resource clear-", true, "delete the limits: zae-limiter resource delete-defaults NAME"},
	{"namespace orphans", false, "see the column STATE of: zae-limiter namespace list"},
	{"limits cfn-template", false, "limits are not part of a stack; use a manifest: zae-limiter limits apply -f limits.yaml"},
	{"loadtest deploy", false, "this process sends the load: zae-limiter loadtest"},
	{"loadtest push", false, "this process sends the load: zae-limiter loadtest"},
	{"loadtest run", false, "this process sends the load: zae-limiter loadtest"},
	{"loadtest ui", false, "this process sends the load and shows the progress: zae-limiter loadtest"},
	{"loadtest tune", false, "this process sends the load: zae-limiter loadtest --rate 100 --entities 10"},
	{"loadtest delete", false, "a load test deletes what it has created: zae-limiter loadtest"},
	{"loadtest list", false, "this process sends the load: zae-limiter loadtest"},
}

// pythonFlags lists flags of the Python library that no command of this program has, with the alternative for each.
var pythonFlags = []struct{ flag, instead string }{
	{"--soft", "a limit always denies when it is exhausted; to see the usage: zae-limiter usage summary"},
	{"--idempotency-key", "setting the same values again changes nothing, so no key is needed"},
	{"--start-event-id", "pass --after with 'next' of the previous list: zae-limiter audit list --after POSITION"},
}

// pythonAdvice returns the alternative for an invalid command line that uses a command or a flag of the Python library, else an
// empty string.
func pythonAdvice(root *kong.Node, args []string) string {
	at := cursor{node: root, flags: root.Flags}
	for _, arg := range args {
		expected := at.pending == nil && !at.afterDashes
		at.advance(arg)
		if !expected {
			continue
		}
		name, _, _ := strings.Cut(arg, "=")
		for _, e := range pythonFlags {
			if e.flag == name && at.longFlag(name) == nil {
				return fmt.Sprintf("%s is not supported yet: %s", e.flag, e.instead)
			}
		}
		path := strings.TrimPrefix(at.node.FullPath(), root.Name+" ") + " " + arg
		for _, e := range pythonCommands {
			if path != e.command && (!strings.HasSuffix(e.command, "-") || !strings.HasPrefix(path, e.command)) {
				continue
			}
			if slices.ContainsFunc(at.node.Children, func(n *kong.Node) bool { return n.Name == arg }) {
				continue
			}
			if e.planned {
				return fmt.Sprintf("%s is not supported yet; instead: %s", path, e.instead)
			}
			return fmt.Sprintf("%s is not a command; instead: %s", path, e.instead)
		}
	}
	return ""
}
