package manifest_test

import (
	"os"
	"strings"
	"testing"

	"github.com/zeroae/zae-limiter-go/cmd/zae-limiter/internal/manifest"
)

// TestParsePython parses a manifest of the Python library with all supported features.
func TestParsePython(t *testing.T) {
	text, err := os.ReadFile("testdata/python.yaml")
	if err != nil {
		t.Fatal(err)
	}
	m, err := manifest.Parse("python.yaml", text)
	if err != nil {
		t.Fatal(err)
	}
	const want = `the system [rpm:1000/min tpm:10000/min:15000] block
resource gpt-4 [rpm:1000/min tpm:500/min]
entity org "The organisation" "" false map[]
limits of org [rpm:100000/min]
entity user-1 "" "org" true map[]
limits of user-1 [rpm:1000/min]
limits of user-1 on gpt-4 [tpm:100/30s:400]`
	if got := inWords(m); got != want {
		t.Errorf("read as\n%s\nnot\n%s", got, want)
	}
	again, err := manifest.Parse("again", m.YAML())
	if err != nil || inWords(again) != want {
		t.Errorf("written and read: %v\n%s", err, inWords(again))
	}
}

// TestParsePythonLater checks the problem for each unsupported feature of the Python library's manifests.
func TestParsePythonLater(t *testing.T) {
	for text, want := range map[string]string{
		"resources: {r: {limits: {a: {capacity: 1, schedule: x}}}}":                 "f:1:43: resources.r.limits.a.schedule: schedule is not supported yet: remove it, and apply",
		"system: {limits: {a: {capacity: 1, reset_schedule: [{cron: x, tz: y}]}}}":  "f:1:36: system.limits.a.reset_schedule: reset_schedule is not supported yet: remove it, and reset",
		"entities: {e: {limits: {a: {capacity: 1, reset_after_seconds: 5}}}}":       "f:1:42: entities.e.limits.a.reset_after_seconds: reset_after_seconds is not supported yet: remove it",
		"entities: {e: {resources: {r: {limits: {a: {capacity: 1, soft: true}}}}}}": "f:1:58: entities.e.resources.r.limits.a.soft: soft is not supported yet: remove it",
		"resources:\n  r:\n    limits: {a: 1}\n    cascade: true":                   "f:4:5: resources.r.cascade: cascade is not supported yet: remove it here",
		"entities: {e: {resources: {r: {limits: {a: 1}, cascade: true}}}}":          "f:1:48: entities.e.resources.r.cascade: cascade is not supported yet: remove it here",
		"resources: {r: {limits: {a: 1}, disabled: true}}":                          "f:1:33: resources.r.disabled: disabled is not supported yet: remove it",
		"entities: {e: {disabled: true}}":                                           "f:1:16: entities.e.disabled: disabled is not supported yet: remove it",
		"entities: {e: {resources: {_default_: {limits: {a: 1}, disabled: true}}}}": "f:1:56: entities.e.resources._default_.disabled: disabled is not supported yet",
		"resources: {r: {bypass: true}}":                                            "f:1:17: resources.r.bypass: bypass is not supported yet: remove it",
		"x-a: &a {soft: true, capacity: 1}\nsystem: {limits: {b: *a}}":              "f:1:10: system.limits.b.soft: soft is not supported yet: remove it",
		"entities: {e: {limits: {a: 1}, resources: {_default_: {limits: {a: 2}}}}}": "f:1:44: entities.e.resources._default_: duplicate limits for all resources, see line 1: remove one",
		"resources: {_default_: {limits: {a: 1}}}":                                  `f:1:13: resources._default_: resource "_default_": must be`,
		"system: {x-note: 1, limits: {a: 1}}":                                       "f:1:10: system.x-note: unknown key",
		"xnote: 1":                                                                  "f:1:1: xnote: unknown key",
	} {
		_, err := manifest.Parse("f", []byte(text))
		if got := problems(t, err); !strings.HasPrefix(got, want) || strings.Contains(got, "\n") {
			t.Errorf("%s\n  is told %s\nand should be %s", text, got, want)
		}
	}
}
