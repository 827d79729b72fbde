package engine

import (
	"errors"
	"strings"
	"testing"
)

// An entity's id may be any text without control characters.
func TestEntityIDs(t *testing.T) {
	for _, id := range []string{
		"::1", "fe80::1%eth0", "auth0|5f7c", "joe+dev@example.com", "+491701234", "sk-abc==", "_internal", "-", " ", "a b", "%", "|", "%7C",
		"é", "e\u0301", "日本", "\u202eabc", "a\u200bb", "\U0001F468\u200d\U0001F469", "\ufeff", "\ufffd", "\u2028", "\u00a0", "../..", "$(x)", "{}",
		strings.Repeat("|", 256), strings.Repeat("é", 128),
	} {
		expect(t, id, checkEntity(id), "")
		expect(t, id, checkEntityFields(&Entity{ID: id, Parent: "p"}), "")
		expect(t, id, checkEntityFields(&Entity{ID: "e", Parent: id}), "")
	}
	for _, id := range []string{
		"", "\x00", "a\nb", "a\r", "\t", "\x1b[2J", "\x7f", "\u0080", "a\u0085", "\u009f", "\xff", "a\xc3", "\xed\xa0\x80", strings.Repeat("|", 257), strings.Repeat("é", 128) + "a",
	} {
		expect(t, id, checkEntity(id), "Entity")
		expect(t, id, checkEntityFields(&Entity{ID: id}), "Entity")
		if id != "" {
			expect(t, id, checkEntityFields(&Entity{ID: "e", Parent: id}), "Parent")
		}
	}
}

func TestCheckTokens(t *testing.T) {
	for _, c := range []struct {
		tokens Tokens
		lowest int64
		field  string
	}{
		{nil, 0, "F"},
		{Tokens{}, 0, "F"},
		{Tokens{"a": 0}, 0, ""},
		{Tokens{"a": 1e15}, 0, ""},
		{Tokens{"a": -1}, 0, "F[a]"},
		{Tokens{"a": 1e15 + 1}, 0, "F[a]"},
		{Tokens{"a": -1e15}, -1e15, ""},
		{Tokens{"a": 1, "b": -2}, -1, "F[b]"},
	} {
		expect(t, c.tokens, checkTokens("F", c.tokens, c.lowest), c.field)
	}
}

func TestCheckRequest(t *testing.T) {
	whole := Request{Entity: "e", Resource: "r", Consume: Tokens{"a": 1}}
	with := func(f func(*Request)) *Request {
		r := whole
		f(&r)
		return &r
	}
	limits := make([]Limit, 17)
	for i := range limits {
		limits[i] = PerMinute("l"+strings.Repeat("x", i), 1)
	}
	for field, r := range map[string]*Request{
		"":               &whole,
		"Entity":         with(func(r *Request) { r.Entity = "" }),
		"Resource":       with(func(r *Request) { r.Resource = "a@b" }),
		"Consume":        with(func(r *Request) { r.Consume = nil }),
		"Consume[a]":     with(func(r *Request) { r.Consume = Tokens{"a": -1} }),
		"Limits":         with(func(r *Request) { r.Limits = limits }),
		"Limits[1].Name": with(func(r *Request) { r.Limits = []Limit{PerMinute("1", 1)} }),
		"Override":       with(func(r *Request) { r.Override = []Limit{limits[0], limits[0]} }),
		"Override[l].RefillAmount": with(func(r *Request) {
			r.Override = []Limit{PerMinute("l", 0).WithBurst(1)}
		}),
		"OnUnavailable": with(func(r *Request) { r.OnUnavailable = 77 }),
	} {
		expect(t, field, checkRequest(r, PolicyAllow), field)
	}
	expect(t, "16 limits", checkGiven("Limits", limits[:16]), "")
	expect(t, "none given", checkGiven("Limits", nil), "")
	expect(t, "none stored", checkLimits("Limits", nil), "Limits")
}

func expect(t *testing.T, what any, err error, field string) {
	t.Helper()
	var bad *ValidationError
	if field == "" && err != nil || field != "" && (!errors.As(err, &bad) || bad.Field != field) {
		t.Errorf("%v: %v, wanted a fault in %q", what, err, field)
	}
}

func TestValidationErrorText(t *testing.T) {
	for want, err := range map[string]error{
		`engine: Entity "a\nb": must be 1 to 256 bytes of valid UTF-8 without control characters`:                     checkEntity("a\nb"),
		`engine: Resource "a b": must be 1 to 128 bytes: letters, digits and _.-:/, beginning with a letter or digit`: checkResource("a b"),
		`engine: Consume[a] -1: must be 0 to 10^15 tokens`:                                                            checkTokens("Consume", Tokens{"a": -1}, 0),
	} {
		if err.Error() != want {
			t.Errorf("got %s, wanted %s", err, want)
		}
	}
}
