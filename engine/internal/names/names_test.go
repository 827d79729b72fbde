package names

import (
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// The rules of the specification, in its own notation.
var rules = []struct {
	name string
	rule *Rule
	text *regexp.Regexp
	most int
}{
	{"resource", Resource, regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.\-:/]*\z`), 128},
	{"limit", Limit, regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9_.\-]*\z`), 64},
	{"namespace", Namespace, regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.\-]*\z`), 64},
}

func TestRules(t *testing.T) {
	for _, r := range rules {
		check := func(s string) {
			t.Helper()
			if want := len(s) <= r.most && r.text.MatchString(s); r.rule.Allows(s) != want || r.rule.Text == "" {
				t.Errorf("%s %q: allowed is %v", r.name, s, !want)
			}
		}
		check("")
		for c := range 256 {
			check(string([]byte{byte(c)}))
			check(string([]byte{'a', byte(c)}))
			check(string([]byte{'a', byte(c), 'z'}))
		}
		check(strings.Repeat("a", r.most))
		check(strings.Repeat("a", r.most+1))
		check("é")
		check("a\n")
	}
}

func TestRulesAtRandom(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := rapid.SampledFrom(rules).Draw(t, "rule")
		s := rapid.StringOfN(rapid.RuneFrom([]rune("aZ09_.-:@/|#% é\x00\n")), 0, 300, -1).Draw(t, "s")
		if r.rule.Allows(s) != (len(s) <= r.most && r.text.MatchString(s)) {
			t.Fatalf("%s: %q", r.name, s)
		}
	})
}
