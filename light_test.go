package zaelimiter_test

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// light are packages that bring nobody a library that the engine does not bring.
var light = []string{"httplimit", "limitertest"}

// TestLight holds all that the light packages import, directly or not, to the standard library, this module, and the libraries
// of the engine.
func TestLight(t *testing.T) {
	engine := libraries(t, "engine")
	for _, folder := range light {
		for _, path := range libraries(t, folder) {
			if !slices.Contains(engine, path) {
				t.Errorf("%s brings %s, which the engine does not: who imports it would have to download that", folder, path)
			}
		}
	}
	if !slices.Contains(libraries(t, "conformance"), "pgregory.net/rapid") {
		t.Error("conformance does not bring rapid: this test finds nothing")
	}
}

// libraries lists the packages of other modules that a package imports, directly or not.
func libraries(t *testing.T, folder string) []string {
	t.Helper()
	list := exec.Command("go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", "./"+folder)
	list.Stderr = os.Stderr
	out, err := list.Output()
	if err != nil {
		t.Fatalf("%v: %v", list, err)
	}
	return slices.DeleteFunc(strings.Fields(string(out)), func(path string) bool { return within(module, path) })
}
