package names

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Rule says which names are valid.
type Rule struct {
	Text  string // what a name must be
	most  int    // bytes
	first charset
	rest  charset
}

// charset is a set of bytes below 128.
type charset [2]uint64

func chars(s string) (set charset) {
	for _, c := range []byte(s) {
		set[c>>6] |= 1 << (c & 63)
	}
	return set
}

func (s *charset) has(c byte) bool { return c < 128 && s[c>>6]>>(c&63)&1 == 1 }

const (
	lower   = "abcdefghijklmnopqrstuvwxyz"
	letters = lower + "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	digits  = "0123456789"
	alnum   = letters + digits
)

// The rules. That of entities is Entity.
var (
	Resource  = newRule(128, alnum, alnum+"_.-:/", "letters, digits and _.-:/")
	Namespace = newRule(64, alnum, alnum+"_.-", "letters, digits and _.-")
	Manifest  = newRule(64, alnum, alnum+"_.-", "letters, digits and _.-")
	Limit     = newRule(64, letters, alnum+"_.-", "letters, digits and _.-")
	Action    = newRule(64, lower, lower+digits+"_", "lowercase letters, digits and _")
)

func newRule(most int, first, rest, described string) *Rule {
	begins := "a letter or digit"
	if first == letters {
		begins = "a letter"
	}
	return &Rule{fmt.Sprintf("must be 1 to %d bytes: %s, beginning with %s", most, described, begins), most, chars(first), chars(rest)}
}

// Allows reports whether a name is valid.
func (r *Rule) Allows(s string) bool {
	if s == "" || len(s) > r.most || !r.first.has(s[0]) {
		return false
	}
	for i := 1; i < len(s); i++ {
		if !r.rest.has(s[i]) {
			return false
		}
	}
	return true
}

// EntityText is what the id of an entity must be.
const EntityText = "must be 1 to 256 bytes of valid UTF-8 without control characters"

// mostEntity is the longest id of an entity, in bytes.
const mostEntity = 256

// Entity reports whether the id of an entity is valid. It accepts the names that callers have for users, keys and tenants, such as IP
// addresses, e-mail addresses, telephone numbers and ids of identity providers. Ids are compared byte by byte and never normalized.
func Entity(id string) bool {
	return id != "" && len(id) <= mostEntity && utf8.ValidString(id) && !strings.ContainsFunc(id, unicode.IsControl)
}
