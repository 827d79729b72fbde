package backend_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/zeroae/zae-limiter-go/backend"
)

var words = backend.NewLayout("words", backend.Field{Name: "n"}, backend.Field{Name: "a", Kind: backend.Text},
	backend.Field{Name: "b", Kind: backend.Text}, backend.Field{Name: "c", Kind: backend.Text})

func says(r *backend.Record) string {
	var all []string
	for _, s := range words.Slots() {
		if v, ok := r.Text(s); ok {
			all = append(all, words.Field(s).Name+"="+v)
		}
	}
	return strings.Join(all, " ")
}

func mustSay(t *testing.T, r *backend.Record, want string) {
	t.Helper()
	if got := says(r); got != want {
		t.Errorf("the record says %q, not %q", got, want)
	}
}

// TestCopiesKeepTheirTexts changes a record and its copies in turn.
func TestCopiesKeepTheirTexts(t *testing.T) {
	a, b, c := words.MustSlot("a"), words.MustSlot("b"), words.MustSlot("c")
	var one, two, three backend.Record
	one.Reset(words)
	one.SetText(c, "1")
	one.SetText(a, "1")
	two.CopyFrom(&one)
	two.SetText(c, "2")
	three.CopyFrom(&two)
	three.SetText(a, "3")
	three.SetText(b, "3")
	two.Unset(a)
	mustSay(t, &one, "a=1 c=1")
	mustSay(t, &two, "c=2")
	mustSay(t, &three, "a=3 b=3 c=2")
	two.CopyFrom(&three)
	three.Reset(words)
	mustSay(t, &two, "a=3 b=3 c=2")
	mustSay(t, &three, "")
	if three.SetText(b, ""); !three.Has(b) || three.Has(a) {
		t.Error("an empty text is present, and what was before Reset is not")
	}
}

// TestCommonTextsAreShared says the same few texts again and again, in records that share them, and many others between.
func TestCommonTextsAreShared(t *testing.T) {
	a := words.MustSlot("a")
	var r backend.Record
	say := func(v string) func() {
		return func() {
			r.Reset(words)
			r.SetText(a, v)
		}
	}
	if n := testing.AllocsPerRun(100, say("1rpm:60/60/60")); n > 0 {
		t.Errorf("%v allocations for a text that was said before", n)
	}
	if n := testing.AllocsPerRun(100, say(strings.Repeat("long", 1000))); n == 0 {
		t.Error("a long text was remembered")
	}
	for i := range 1000 {
		v := fmt.Sprint(i % 300)
		say(v)()
		mustSay(t, &r, "a="+v)
	}
}
