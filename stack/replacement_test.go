package stack

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/zeroae/zae-limiter-go/stack/stacktest"
)

// An upgrade must not change a property that replaces a resource: CloudFormation rejects the replacement of a resource with a custom
// name, which nearly all have, and with it the whole upgrade. The description of a managed policy is such a property. The file has
// the properties of released deployments: UPDATE_GOLDEN=1 adds the lines of new resources, and changes no others.
func TestUpgradeReplacesNothing(t *testing.T) {
	const file = "testdata/released.txt"
	var lines []string
	resources := resourcesOf(t, template)
	for _, name := range slices.Sorted(maps.Keys(resources)) {
		kind := at(resources, name, "Type").(string)
		properties, known := stacktest.Replaces(kind)
		if !known {
			t.Errorf("%s: stack/stacktest/types.json does not know %s: add it from AWS's schema", name, kind)
		}
		for _, property := range properties {
			value := at(resources, name, "Properties", property)
			text, err := json.Marshal(value)
			if err != nil {
				t.Fatal(err)
			}
			if value != nil {
				lines = append(lines, fmt.Sprintf("%s %s = %s", name, property, text))
			} else {
				lines = append(lines, fmt.Sprintf("%s %s is not set", name, property))
			}
		}
	}
	text, err := os.ReadFile(file)
	if err != nil && os.Getenv("UPDATE_GOLDEN") == "" {
		t.Fatal(err)
	}
	released := strings.Split(strings.TrimSpace(string(text)), "\n")
	about := func(line string) string { return strings.Join(strings.Fields(line)[:2], " ") }
	var fresh []string
	for _, line := range lines {
		at := slices.IndexFunc(released, func(r string) bool { return strings.TrimSpace(r) != "" && about(r) == about(line) })
		switch {
		case at < 0:
			fresh = append(fresh, line)
		case released[at] != line:
			t.Errorf("this change of %s fails every upgrade, by replacing the resource:\n was %s\n now %s", about(line), released[at], line)
		}
	}
	for _, line := range released {
		if name := strings.Fields(line + " -")[0]; name != "-" && resources[name] == nil {
			t.Errorf("%s is gone: under another logical id its name cannot be had while the old one exists, which fails every upgrade; if nothing has its name, remove its lines from %s", name, file)
		}
	}
	if os.Getenv("UPDATE_GOLDEN") != "" {
		all := slices.DeleteFunc(append(released, fresh...), func(line string) bool { return line == "" })
		slices.Sort(all)
		if err := os.WriteFile(file, []byte(strings.Join(all, "\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if len(fresh) > 0 {
		t.Errorf("new resources, which UPDATE_GOLDEN=1 adds to %s:\n%s", file, strings.Join(fresh, "\n"))
	}
}
