package conformance

import (
	"cmp"
	"math/big"
	"slices"

	"github.com/zeroae/zae-limiter-go/backend"
)

// model is the contract in the simplest form: maps, names and big integers. It is written from the words of package backend and
// shares none of its code that checks or applies writes. It has no limits, because it gets valid operations only. Not safe
// for concurrent use.
type model map[backend.Key]*entry

// entry is one record.
type entry struct {
	numbers map[string]*big.Int
	texts   map[string]string
	expiry  backend.Expiry // 0: none
	place   *backend.Place
}

// ten38 is the first number that no store keeps.
var ten38 = new(big.Int).Exp(big.NewInt(10), big.NewInt(38), nil)

func bigOf(n backend.Num) *big.Int {
	v, _ := new(big.Int).SetString(n.String(), 10)
	return v
}

// copyOf returns a copy of e, or a record without fields if e is nil.
func (e *entry) copyOf() *entry {
	c := &entry{numbers: map[string]*big.Int{}, texts: map[string]string{}}
	if e != nil {
		for name, v := range e.numbers {
			c.numbers[name] = v
		}
		for name, v := range e.texts {
			c.texts[name] = v
		}
		c.expiry, c.place = e.expiry, e.place
	}
	return c
}

// holds reports whether one condition holds on a record, which is nil if there is none.
func (e *entry) holds(c *backend.Cond, f backend.Field) bool {
	var order int // of the field against A; texts are equal or not
	var between, there bool
	if e != nil && f.Kind == backend.Number {
		var v *big.Int
		if v, there = e.numbers[f.Name]; there {
			order = v.Cmp(bigOf(c.A))
			between = order >= 0 && v.Cmp(bigOf(c.B)) <= 0
		}
	} else if e != nil {
		var v string
		v, there = e.texts[f.Name]
		order = cmp.Compare(v, c.Text)
	}
	if !there && c.OrAbsent {
		return true
	}
	switch c.Op {
	case backend.Absent:
		return !there
	case backend.Present:
		return there
	case backend.NotEqual:
		return !there || order != 0
	case backend.Equal:
		return there && order == 0
	case backend.Less:
		return there && order < 0
	case backend.AtMost:
		return there && order <= 0
	case backend.AtLeast:
		return there && order >= 0
	default: // Between
		return there && between
	}
}

// holdsAll reports whether all conditions of a write hold.
func (e *entry) holdsAll(w *backend.Write) bool {
	for i := range w.Conds {
		if c := &w.Conds[i]; !e.holds(c, w.Layout.Field(c.Slot)) {
			return false
		}
	}
	return true
}

func (m model) holds(w *backend.Write) bool { return m[w.Key].holdsAll(w) }

// after returns the record after a write whose conditions hold, or nil if there is none. It returns false if a sum has more than
// 38 digits.
func (m model) after(w *backend.Write) (*entry, bool) {
	old := m[w.Key]
	if w.Remove {
		return nil, true
	}
	if len(w.Effects) == 0 {
		return old, true
	}
	e := old.copyOf()
	for i := range w.Effects {
		if !e.apply(&w.Effects[i], w.Layout.Field(w.Effects[i].Slot)) {
			return old, false
		}
	}
	switch w.Expiry {
	case backend.KeepExpiry:
	case backend.NoExpiry:
		e.expiry = 0
	default:
		e.expiry = w.Expiry
	}
	if w.Index != nil {
		e.place = &backend.Place{Partition: w.Index.Partition, Sort: w.Index.Sort}
	}
	return e, true
}

// apply applies one effect. A write has one effect on a field at most, so that each effect sees the field as it was.
func (e *entry) apply(f *backend.Effect, field backend.Field) bool {
	name := field.Name
	if field.Kind != backend.Number {
		_, there := e.texts[name]
		if f.Op == backend.Unset {
			delete(e.texts, name)
		} else if f.Op == backend.Set || !there {
			e.texts[name] = f.Text
		}
		return true
	}
	v, there := e.numbers[name]
	switch f.Op {
	case backend.Unset:
		delete(e.numbers, name)
	case backend.Add, backend.AddFrom:
		if base := bigOf(f.Base); !there || f.Op == backend.AddFrom && v.Cmp(base) < 0 {
			v = base
		}
		sum := new(big.Int).Add(v, bigOf(f.Num))
		if sum.CmpAbs(ten38) >= 0 {
			return false
		}
		e.numbers[name] = sum
	case backend.SetIfAbsent:
		if !there {
			e.numbers[name] = bigOf(f.Num)
		}
	default: // Set
		e.numbers[name] = bigOf(f.Num)
	}
	return true
}

func (m model) put(k backend.Key, e *entry) {
	if e == nil {
		delete(m, k)
	} else {
		m[k] = e
	}
}

// text returns a record as show does.
func (e *entry) text(l *backend.Layout) string {
	if e == nil {
		return "none"
	}
	var words []string
	for _, slot := range l.Slots() {
		name := l.Field(slot).Name
		if v, there := e.numbers[name]; there {
			words = append(words, name+"="+v.String())
		}
		if v, there := e.texts[name]; there {
			words = append(words, name+"="+quote(v))
		}
	}
	if e.expiry == 0 {
		return showWords(words, backend.NoExpiry)
	}
	return showWords(words, e.expiry)
}

// inOrder compares items by their sort, and equal ones by their keys.
func inOrder(a, b backend.Item, reverse bool) int {
	by := cmp.Or(cmp.Compare(a.Sort, b.Sort), cmp.Compare(a.Key.Partition, b.Key.Partition), cmp.Compare(a.Key.Sort, b.Key.Sort))
	if reverse {
		return -by
	}
	return by
}

// list returns a whole listing behind q.After, whatever the size of pages.
func (m model) list(q backend.Query) []backend.Item {
	var items []backend.Item
	for k, e := range m {
		partition, sort := k.Partition, k.Sort
		if q.Index {
			if e.place == nil {
				continue
			}
			partition, sort = e.place.Partition, e.place.Sort
		}
		if k.Namespace == q.Namespace && partition == q.Partition && sort >= q.From && (q.To == "" || sort < q.To) {
			items = append(items, backend.Item{Key: k, Sort: sort})
		}
	}
	order := func(a, b backend.Item) int { return inOrder(a, b, q.Reverse) }
	slices.SortFunc(items, order)
	if q.After != nil {
		items = slices.DeleteFunc(items, func(i backend.Item) bool { return order(i, *q.After) <= 0 })
	}
	return items
}
