package conformance

import (
	"fmt"
	"strings"

	"pgregory.net/rapid"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/limitertest"
)

// drawing draws operations, with AddFrom if max is true.
type drawing struct{ max bool }

// asked is one operation of a random list.
type asked struct {
	op     limitertest.Op
	writes []backend.Write // Apply, Commit
	keys   []backend.Key   // Read
	query  backend.Query   // List
}

// There are few keys, values and places, so that operations meet.
var (
	someParts  = []string{"p", "p\x00", "é"}
	someSorts  = []string{"a", "a\x00", "b", "\U00010000"}
	somePlaces = []string{"0", "1", "é"}
	someTexts  = []string{"", "x", "y\x00"}
)

// someKeys returns all keys.
func someKeys() []backend.Key {
	var keys []backend.Key
	for _, p := range someParts {
		for _, s := range someSorts {
			keys = append(keys, backend.Key{Namespace: space, Partition: p, Sort: s})
		}
	}
	return keys
}

// Numbers do not end in 0 and additions do, so that no sum is a round number of 39 digits, which DynamoDB keeps because it has
// few significant digits.
var (
	someNumbers = []string{"1", "-1", "2", "7", "-9", "18446744073709551617", nines, "-" + nines}
	someAmounts = []string{"0", "10", "-10", "20", "18446744073709551610", nines[:37] + "0", "-" + nines[:37] + "0"}
)

func numberIn(list []string) *rapid.Generator[backend.Num] {
	return rapid.Map(rapid.SampledFrom(list), number)
}

// drawSlot prefers some fields, so that operations meet.
var drawSlot = rapid.SampledFrom([]backend.Slot{slotN, slotN, slotN, slotM, slotS, slotB})

var drawCond = rapid.Custom(func(t *rapid.T) backend.Cond {
	c := backend.Cond{Slot: drawSlot.Draw(t, "slot"), OrAbsent: rapid.Bool().Draw(t, "or absent")}
	last := int(backend.Between)
	if !c.Slot.IsNumber() {
		last = int(backend.NotEqual)
		c.Text = rapid.SampledFrom(someTexts).Draw(t, "text")
	}
	c.Op = backend.Op(rapid.IntRange(int(backend.Present), last).Draw(t, "op"))
	if c.Slot.IsNumber() {
		c.A = numberIn(someNumbers).Draw(t, "a")
	}
	if c.Op == backend.Between {
		if c.B = numberIn(someNumbers).Draw(t, "b"); c.B.Less(c.A) {
			c.A, c.B = c.B, c.A
		}
	}
	return c
})

func (d drawing) effect(t *rapid.T, slot backend.Slot) backend.Effect {
	last := backend.Unset
	if d.max {
		last = backend.AddFrom
	}
	e := backend.Effect{Slot: slot, Op: backend.EffectOp(rapid.IntRange(int(backend.Set), int(last)).Draw(t, "effect"))}
	adds := e.Op == backend.Add || e.Op == backend.AddFrom
	switch {
	case !slot.IsNumber():
		if adds {
			e.Op = backend.Set
		}
		e.Text = rapid.SampledFrom(someTexts).Draw(t, "text")
	case adds:
		e.Num, e.Base = numberIn(someAmounts).Draw(t, "amount"), numberIn(someNumbers).Draw(t, "base")
	default:
		e.Num = numberIn(someNumbers).Draw(t, "number")
	}
	return e
}

func (d drawing) write(t *rapid.T, key backend.Key) backend.Write {
	w := backend.Write{Key: key, Layout: layout, Conds: rapid.SliceOfN(drawCond, 0, 2).Draw(t, "conditions")}
	switch rapid.IntRange(0, 9).Draw(t, "kind") {
	case 0:
		w.Remove = true
		return w
	case 1:
		if len(w.Conds) > 0 {
			return w // conditions only
		}
	}
	for _, slot := range rapid.SliceOfNDistinct(drawSlot, 1, 3, rapid.ID[backend.Slot]).Draw(t, "slots") {
		w.Effects = append(w.Effects, d.effect(t, slot))
	}
	w.Expiry = rapid.SampledFrom([]backend.Expiry{backend.KeepExpiry, backend.KeepExpiry, backend.NoExpiry, future, future + 1}).Draw(t, "expiry")
	if rapid.Bool().Draw(t, "placed") {
		w.Index = &backend.Place{Partition: rapid.SampledFrom(someParts).Draw(t, "partition"), Sort: rapid.SampledFrom(somePlaces).Draw(t, "place")}
	}
	return w
}

// writes draws writes on different keys, because the order of writes on one key is the store's.
func (d drawing) writes(t *rapid.T, most int) []backend.Write {
	var writes []backend.Write
	for _, k := range rapid.SliceOfNDistinct(rapid.SampledFrom(someKeys()), 1, most, rapid.ID[backend.Key]).Draw(t, "keys") {
		writes = append(writes, d.write(t, k))
	}
	return writes
}

func drawQuery(t *rapid.T) backend.Query {
	q := backend.Query{
		Namespace: space, Partition: rapid.SampledFrom(someParts).Draw(t, "partition"), Index: rapid.Bool().Draw(t, "index"),
		Reverse: rapid.Bool().Draw(t, "reverse"), Size: rapid.SampledFrom([]int{1, 2, 3, 100}).Draw(t, "size"),
	}
	bounds := append([]string{""}, append(someSorts, somePlaces...)...)
	q.From, q.To = rapid.SampledFrom(bounds).Draw(t, "from"), rapid.SampledFrom(bounds).Draw(t, "to")
	if q.To != "" && q.To < q.From {
		q.From, q.To = q.To, q.From
	}
	if rapid.IntRange(0, 3).Draw(t, "behind") == 0 { // where nothing stands: equal places have no order
		k := rapid.SampledFrom(someKeys()).Draw(t, "after")
		if q.After = (&backend.Item{Key: k, Sort: rapid.SampledFrom(somePlaces).Draw(t, "after place") + "!"}); !q.Index {
			q.After.Key.Partition, q.After.Sort = q.Partition, k.Sort
		}
	}
	return q
}

// asked draws one operation.
func (d drawing) asked(t *rapid.T) asked {
	switch kind := rapid.IntRange(0, 9).Draw(t, "operation"); {
	case kind < 5:
		return asked{op: limitertest.OpApply, writes: d.writes(t, 3)}
	case kind < 8:
		return asked{op: limitertest.OpCommit, writes: d.writes(t, 4)}
	case kind < 9:
		return asked{op: limitertest.OpList, query: drawQuery(t)}
	default:
		return asked{op: limitertest.OpRead, keys: rapid.SliceOfN(rapid.SampledFrom(someKeys()), 1, 5).Draw(t, "keys")}
	}
}

// String is the operation in one line.
func (a asked) String() string {
	switch a.op {
	case limitertest.OpRead:
		return fmt.Sprintf("Read %q", a.keys)
	case limitertest.OpList:
		line := fmt.Sprintf("List %q index %v from %q to %q reverse %v size %d", a.query.Partition, a.query.Index, a.query.From,
			a.query.To, a.query.Reverse, a.query.Size)
		if a.query.After != nil {
			line += fmt.Sprintf(" after %q", *a.query.After)
		}
		return line
	}
	var lines []string
	for i := range a.writes {
		lines = append(lines, writeText(&a.writes[i]))
	}
	return string(a.op) + " " + strings.Join(lines, "; ")
}

// GoString is what rapid prints of a draw.
func (a asked) GoString() string { return a.String() }

var (
	condNames   = []string{"?", "present", "absent", "=", "≠", "<", "≤", "≥", "between"}
	effectNames = []string{"?", "set", "set if absent", "add", "unset", "add from"}
)

func writeText(w *backend.Write) string {
	words := []string{fmt.Sprintf("%q/%q:", w.Key.Partition, w.Key.Sort)}
	for _, c := range w.Conds {
		words = append(words, condText(w.Layout.Field(c.Slot), &c))
	}
	for _, e := range w.Effects {
		words = append(words, effectText(w.Layout.Field(e.Slot), &e))
	}
	if w.Remove {
		words = append(words, "remove")
	}
	if w.Index != nil {
		words = append(words, fmt.Sprintf("at %q", *w.Index))
	}
	if w.Expiry != backend.KeepExpiry {
		words = append(words, fmt.Sprintf("expiry %d", w.Expiry))
	}
	return strings.Join(words, " ")
}

func condText(f backend.Field, c *backend.Cond) string {
	line := "[" + f.Name + " " + condNames[c.Op]
	switch {
	case c.Op == backend.Present || c.Op == backend.Absent:
	case f.Kind != backend.Number:
		line += fmt.Sprintf(" %q", c.Text)
	case c.Op == backend.Between:
		line += fmt.Sprintf(" %v and %v", c.A, c.B)
	default:
		line += " " + c.A.String()
	}
	if c.OrAbsent {
		line += " or absent"
	}
	return line + "]"
}

func effectText(f backend.Field, e *backend.Effect) string {
	line := "{" + effectNames[e.Op] + " " + f.Name
	switch {
	case e.Op == backend.Unset:
	case f.Kind != backend.Number:
		line += fmt.Sprintf(" %q", e.Text)
	case e.Op == backend.Add || e.Op == backend.AddFrom:
		line += fmt.Sprintf(" %v to it or to %v", e.Num, e.Base)
	default:
		line += " " + e.Num.String()
	}
	return line + "}"
}
