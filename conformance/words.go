package conformance

import (
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"strconv"
	"strings"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/backend/num"
)

// Where the suite's records are, unless a subtest says otherwise: checkInvariants looks here.
const (
	space = "ns"
	part  = "part"
	index = "index"
)

// The layout of the suite's records, and its slots.
var (
	layout = backend.NewLayout("conformance",
		backend.Field{Name: "n", Kind: backend.Number}, backend.Field{Name: "m", Kind: backend.Number},
		backend.Field{Name: "s", Kind: backend.Text}, backend.Field{Name: "t", Kind: backend.Text},
		backend.Field{Name: "b", Kind: backend.Bytes})
	slotN, slotM = layout.MustSlot("n"), layout.MustSlot("m")
	slotS, slotT = layout.MustSlot("s"), layout.MustSlot("t")
	slotB        = layout.MustSlot("b")
)

// The largest number that stores keep: 38 nines.
const nines = "99999999999999999999999999999999999999"

// number reads a decimal number.
func number(text string) backend.Num {
	n, err := num.Parse(text)
	if err != nil {
		panic(err)
	}
	return n
}

func numOf[T int | int64](v T) backend.Num { return num.FromInt64(int64(v)) }

func keyOf(sort string) backend.Key {
	return backend.Key{Namespace: space, Partition: part, Sort: sort}
}

func keysOf(sorts ...string) []backend.Key {
	keys := make([]backend.Key, len(sorts))
	for i, sort := range sorts {
		keys[i] = keyOf(sort)
	}
	return keys
}

// write returns a write of conditions, effects, an expiry, a place or a layout, in any order.
func write(key backend.Key, parts ...any) backend.Write {
	w := backend.Write{Key: key, Layout: layout}
	for _, p := range parts {
		switch p := p.(type) {
		case backend.Cond:
			w.Conds = append(w.Conds, p)
		case backend.Effect:
			w.Effects = append(w.Effects, p)
		case []backend.Effect:
			w.Effects = append(w.Effects, p...)
		case backend.Expiry:
			w.Expiry = p
		case backend.Place:
			w.Index = &p
		case *backend.Layout:
			w.Layout = p
		default:
			panic(fmt.Sprintf("conformance: a write has no %T", p))
		}
	}
	return w
}

func remove(key backend.Key, conds ...backend.Cond) backend.Write {
	return backend.Write{Key: key, Layout: layout, Remove: true, Conds: conds}
}

func set(v int) backend.Effect { return setNum(slotN, numOf(v)) }

func setNum(slot backend.Slot, v backend.Num) backend.Effect {
	return backend.Effect{Slot: slot, Op: backend.Set, Num: v}
}

func setText(slot backend.Slot, v string) backend.Effect {
	return backend.Effect{Slot: slot, Op: backend.Set, Text: v}
}

func unset(slot backend.Slot) backend.Effect { return backend.Effect{Slot: slot, Op: backend.Unset} }

func add(v int) backend.Effect {
	return backend.Effect{Slot: slotN, Op: backend.Add, Num: numOf(v)}
}

// addFrom adds to n or to base, whichever is greater.
func addFrom(base, v string) backend.Effect {
	return backend.Effect{Slot: slotN, Op: backend.AddFrom, Num: number(v), Base: number(base)}
}

// is returns a condition on n.
func is(op backend.Op, bounds ...int) backend.Cond {
	c := backend.Cond{Slot: slotN, Op: op}
	for i, bound := range bounds {
		*[]*backend.Num{&c.A, &c.B}[i] = numOf(bound)
	}
	return c
}

func place(sort string) backend.Place { return backend.Place{Partition: index, Sort: sort} }

// token returns a new token, because a store may remember those of earlier runs.
func token() (t [16]byte) {
	_, _ = rand.Read(t[:]) // never fails
	return t
}

// show returns a record in one line: its fields in the layout's order, then its expiry.
func show(r *backend.Record) string {
	if !r.Present() {
		return "none"
	}
	var words []string
	for _, slot := range r.Layout().Slots() {
		name := r.Layout().Field(slot).Name
		if n, ok := r.Num(slot); slot.IsNumber() && ok {
			words = append(words, name+"="+n.String())
		} else if v, ok := r.Text(slot); !slot.IsNumber() && ok {
			words = append(words, name+"="+quote(v))
		}
	}
	return showWords(words, r.Expiry())
}

func showWords(words []string, expiry backend.Expiry) string {
	if len(words) == 0 {
		words = []string{"empty"}
	}
	if expiry != backend.NoExpiry {
		words = append(words, "until "+strconv.FormatInt(int64(expiry), 10))
	}
	return strings.Join(words, " ")
}

// quote quotes a text, and replaces a long one by its length and a digest.
func quote(v string) string {
	if len(v) <= 100 {
		return strconv.Quote(v)
	}
	return fmt.Sprintf("%q and more, %d bytes, sum %x", v[:16], len(v), sha256.Sum256([]byte(v)))
}
