package manifest_test

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/zeroae/zae-limiter-go/cmd/zae-limiter/internal/manifest"
	"github.com/zeroae/zae-limiter-go/engine"
)

// inWords returns a manifest's settings, one a line.
func inWords(m *manifest.Manifest) string {
	var lines []string
	for _, d := range m.Settings {
		line := d.ID.String()
		if d.ID.Kind == engine.SettingEntity {
			line += fmt.Sprintf(" %q %q %t %q", d.Record.Name, d.Record.Parent, d.Record.Cascade, d.Record.Metadata)
		} else {
			line += fmt.Sprint(" ", d.Limits)
		}
		if d.OnUnavailable != 0 {
			line += " " + d.OnUnavailable.String()
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

// problems returns the problems in an error, one a line.
func problems(t *testing.T, err error) string {
	t.Helper()
	var p *manifest.Problems
	switch {
	case err == nil:
		return ""
	case !errors.As(err, &p):
		t.Fatal(err)
	}
	return strings.Join(p.Lines(), "\n")
}

// Parse returns all problems at once, with their positions and what to do.
func TestParseTellsAllThatIsWrong(t *testing.T) {
	text, err := os.ReadFile("testdata/wrong.yaml")
	if err != nil {
		t.Fatal(err)
	}
	_, err = manifest.Parse("wrong.yaml", text)
	got := problems(t, err) + "\n"
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile("testdata/wrong.txt", []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("testdata/wrong.txt")
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("told\n%sand should\n%s", got, want)
	}
}

func TestParseWhatIsNoManifest(t *testing.T) {
	for text, want := range map[string]string{
		"":                                    "f:1:1: is empty: write at least: system: {limits: {rpm: 100}}",
		"# nothing\n":                         "f:1:1: is empty: write at least: system: {limits: {rpm: 100}}",
		"\xff":                                "f:1:1: is not valid UTF-8: save it as UTF-8",
		"- a\n":                               "f:1:1: must be a mapping of manifest, namespace, system, resources, entities, not a list",
		"system\n":                            `f:1:1: must be a mapping of manifest, namespace, system, resources, entities, not "system"`,
		"a: [1\n":                             "f:1:4: invalid YAML: sequence end token ']' not found: check the indentation and the quotes in this line and the one above",
		"\tsystem: 1\n":                       "f:1:7: invalid YAML: tab character cannot use as a map key directly: check the indentation and the quotes in this line and the one above",
		"manifest: a\n---\nb: 1":              "f:3:1: second document: write each document to a file of its own",
		"system: {}\n":                        "f:1:1: system: is empty: set limits or on_unavailable, or remove it",
		"x: 1\n":                              "f:1:1: x: unknown key: must be one of manifest, namespace, system, resources and entities",
		"manifest: &a b\nnamespace: &a c\n":   "f:2:12: duplicate anchor &a: rename one of them",
		"entities: {r: &x {<<: *x, name: a}}": "f:1:23: entities.r: merges itself: write the keys instead",
		"null\n":                              "f:1:1: is empty: write at least: system: {limits: {rpm: 100}}",
		"--- ~\n":                             "f:1:1: is empty: write at least: system: {limits: {rpm: 100}}",
		"system:\n\tlimits: {rpm: 1}\n":       `f:2:1: invalid YAML: found character '\t' that cannot start any token: check the indentation`,
		"entities: {*k : {}}":                 "f:1:12: entities: unknown anchor &k: define it at the value",
		"entities: {!!str 5: {}}":             "f:1:12: entities: tags such as !!str are not supported: remove it",
	} {
		m, err := manifest.Parse("f", []byte(text))
		if got := problems(t, err); !strings.HasPrefix(got, want) {
			t.Errorf("%q\n  is told %s\nand should be %s (%v)", text, got, want, m)
		}
	}
}

// The forms of limits; each line is a limit named x.
func TestParseLimits(t *testing.T) {
	for form, want := range map[string]string{
		"{x: 100}":             "x:100/min",
		"{x: 100/hour}":        "x:100/hour",
		"{x: 100/min:150}":     "x:100/min:150",
		"{x: '5/30s'}":         "x:5/30s",
		"{x: 100:150}":         "x:100/min:150",
		"[x:100]":              "x:100/min",
		"[x: 100]":             "x:100/min",
		"['x:100/day:5']":      "x:100/day:5",
		"\n    - x:7/s":        "x:7/s",
		"\n    - x: 7/s":       "x:7/s",
		"\n    x: 7/s":         "x:7/s",
		`{"x":{"capacity":9}}`: "x:9/min",
		"{x: {capacity: 100, refill_amount: 10, refill_period: 1}}":             "x:10/s:100",
		"{x: {capacity: 100, refill_amount: 10, refill_period: 3600}}":          "x:10/hour:100",
		"{x: {capacity: 100, burst: 150}}":                                      "x:100/min:150",
		"{x: {capacity: 100, burst: 150, refill_amount: 5, refill_period: .5}}": "x:5/500ms:150",
		"{x: {capacity: 100, refill_period: 5min}}":                             "x:100/5min",
		"[x: {capacity: 100}]":                                                  "x:100/min",
	} {
		m, err := manifest.Parse("f", []byte("system:\n  limits: "+form+"\n"))
		if got := inWords(m); err != nil || got != "the system ["+want+"]" {
			t.Errorf("%s is read as %s, %v; not %s", form, got, err, want)
		}
	}
}

// YAML 1.1 reads 010 as 8 and YAML 1.2 as 10, and a period has no burst: both are told instead of being guessed.
func TestParseTellsAmbiguousNumbersOfLimits(t *testing.T) {
	for form, want := range map[string]string{
		"{x: 010}":                               "f:1:22: system.limits.x: 010 begins with 0, which some programs read as octal: write 10",
		"[x: 010]":                               "f:1:22: system.limits[0].x: 010 begins with 0, which some programs read as octal: write 10",
		"{x: 0o10}":                              `f:1:22: system.limits.x: rate "0o10": must be a whole number`,
		"{x: {capacity: 9, refill_period: 010}}": "f:1:51: system.limits.x.refill_period: must be a number of seconds or a period",
		"{x: {capacity: 9, refill_period: min:5}}": "f:1:51: system.limits.x.refill_period: must be a number of seconds or a period",
	} {
		m, err := manifest.Parse("f", []byte("system: {limits: "+form+"}\n"))
		if got := problems(t, err); !strings.HasPrefix(got, want) {
			t.Errorf("%s\n  is told %s\nand should be %s (%v)", form, got, want, m)
		}
	}
}

// A key may be an alias, have an anchor, or be written after a question mark; directives are no documents.
func TestParseKeys(t *testing.T) {
	for text, want := range map[string]string{
		"x-k: &k foo\nentities: {*k : {}}\n":           `entity foo "" "" false map[]`,
		"entities: {&k foo: {name: *k}}\n":             `entity foo "foo" "" false map[]`,
		"entities:\n  ? |-\n    foo\n  : {}\n":         `entity foo "" "" false map[]`,
		"%YAML 1.2\n---\nsystem: {limits: {rpm: 1}}\n": "the system [rpm:1/min]",
	} {
		m, err := manifest.Parse("f", []byte(text))
		if got := inWords(m); err != nil || got != want {
			t.Errorf("%q is read as %s, %v; not %s", text, got, err, want)
		}
	}
}

// A small file cannot take all memory or time.
func TestParseBoundsWhatAFileTakes(t *testing.T) {
	merges := "x-0: &a0 {rpm: 1}\n"
	for i := 1; i <= 12; i++ {
		one := fmt.Sprintf("*a%d,", i-1)
		merges += fmt.Sprintf("x-%d: &a%d {<<: [%s]}\n", i, i, strings.Repeat(one, 10))
	}
	for text, want := range map[string]string{
		"x-a: " + strings.Repeat("[", 100_000):    "f:1:106: is nested too deeply: at most 100 levels are allowed",
		"x-a: " + strings.Repeat("{a: ", 100_000): "f:1:406: is nested too deeply: at most 100 levels are allowed",
		"x-a:\n " + strings.Repeat("- ", 100_000): "f:2:202: is nested too deeply: at most 100 levels are allowed",
		merges + "system: {limits: *a12}\n":       "f:2:15: system.limits: merges mappings more than 1000000 times: write the keys instead",
	} {
		_, err := manifest.Parse("f", []byte(text))
		if got := problems(t, err); got != want {
			t.Errorf("%.40s…\n  is told %s\nand should be %s", text, got, want)
		}
	}
}

func TestParse(t *testing.T) {
	const want = `the system [rpm:10/min] block
resource 007 [rpm:10/min]
resource gpt-4 [rpm:20/min tpm:10/min]
entity a "A" "o" true map["k":"7" "l":"two\nlines"]
limits of a [rpm:10/min]
limits of a on gpt-4 [rpm:1/day]
entity o "" "" false map[]
limits of only [rpm:5/min]`
	for _, text := range []string{
		"\ufeff" + `# A comment.
manifest: mine
namespace: blue
system: {on_unavailable: block, limits: &l {rpm: 10}}
resources:
  gpt-4:
    limits:
      <<: [*l, {tpm: 99, rpm: 30}]
      tpm: 10 # beats what is merged
      rpm: 20
  007: {limits: *l}
entities:
  a:
    name: A
    parent: o
    cascade: true
    metadata:
      k: "7"
      l: |-
        two
        lines
    limits: *l
    resources:
      gpt-4: {limits: [rpm:1/day]}
  o: {}
  only: {limits: [rpm:5]}
`,
		strings.ReplaceAll("manifest: mine\nnamespace: blue\nsystem:\n  on_unavailable: block\n  limits:\n    rpm: 10\nresources:\n  gpt-4:\n    limits:\n      rpm: 20\n      tpm: 10\n"+
			"  '007':\n    limits:\n      rpm: 10\nentities:\n  o:\n  a:\n    name: A\n    parent: o\n    cascade: true\n    metadata:\n      k: '7'\n      l: \"two\\nlines\"\n    limits:\n    - rpm:10\n"+
			"    resources:\n      gpt-4:\n        limits:\n        - rpm:1/day\n  only:\n    limits:\n    - rpm:5\n", "\n", "\r\n"),
		`{"manifest":"mine","namespace":"blue","system":{"on_unavailable":"block","limits":{"rpm":10}},
		"resources":{"gpt-4":{"limits":{"rpm":20,"tpm":"10/min"}},"007":{"limits":{"rpm":{"capacity":10}}}},
		"entities":{"o":{},"a":{"name":"A","parent":"o","cascade":true,"metadata":{"k":"7","l":"two\nlines"},"limits":{"rpm":10},
		"resources":{"gpt-4":{"limits":["rpm:1/day"]}}},"only":{"limits":{"rpm":5}}}}`,
	} {
		m, err := manifest.Parse("f", []byte(text))
		if err != nil || inWords(m) != want || m.Name != "mine" || m.Namespace != "blue" {
			t.Errorf("%v\n%s\n%s %s\nof\n%s", err, inWords(m), m.Name, m.Namespace, text)
		}
	}
}

// The manifests in the documents can be parsed.
func TestParseDocuments(t *testing.T) {
	page, err := os.ReadFile("../../../../docs/manifest.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)\n```").FindAllSubmatch(page, -1)
	for _, block := range blocks {
		if m, err := manifest.Parse("f", block[1]); err != nil || len(m.Settings) == 0 {
			t.Errorf("%v\n%s", err, block[1])
		}
	}
	if len(blocks) == 0 {
		t.Error("there is none")
	}
}

func TestParseLarge(t *testing.T) {
	var text strings.Builder
	text.WriteString("entities:\n")
	for i := range 5000 {
		fmt.Fprintf(&text, "  user-%d:\n    limits: {rpm: %d}\n", i, i+1)
	}
	m, err := manifest.Parse("f", []byte(text.String()))
	if err != nil || len(m.Settings) != 5000 || m.Name != manifest.DefaultName {
		t.Fatal(len(m.Settings), err)
	}
}

func FuzzParse(f *testing.F) {
	wrong, err := os.ReadFile("testdata/wrong.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(wrong))
	f.Add("system: {limits: [rpm:5, tpm:10/s:20]}\nentities:\n  a: &a\n    parent: b\n    <<: {cascade: true}\n  b: {name: \"x\\n\"}\n")
	f.Add(`{"system":{"limits":{"rpm":{"capacity":1,"refill_period":0.5}}}}`)
	f.Add("? [a]\n: !!x |\n  y\n<<: *a\n")
	f.Fuzz(func(t *testing.T, text string) {
		m, err := manifest.Parse("f", []byte(text))
		var p *manifest.Problems
		if err != nil && (!errors.As(err, &p) || len(p.List) == 0) {
			t.Fatal(err)
		}
		if err != nil {
			return
		}
		again, err := manifest.Parse("again", m.YAML())
		if err != nil || inWords(again) != inWords(m) || again.Name != m.Name {
			t.Fatalf("%q is written as\n%s\nwhich is %v\n%s\nnot\n%s", text, m.YAML(), err, inWords(again), inWords(m))
		}
	})
}

// TestParsePolicies reads each policy by its name.
func TestParsePolicies(t *testing.T) {
	for _, p := range []engine.Policy{engine.PolicyBlock, engine.PolicyAllow, engine.PolicyLocal} {
		m, err := manifest.Parse("f", []byte("manifest: m\nsystem: {on_unavailable: "+p.String()+"}\n"))
		if err != nil || len(m.Settings) != 1 || m.Settings[0].OnUnavailable != p {
			t.Errorf("%v: %+v, %v", p, m, err)
		}
	}
}
