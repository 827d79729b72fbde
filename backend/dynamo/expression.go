package dynamo

import (
	"strconv"
	"strings"
	"sync"

	"github.com/zeroae/zae-limiter-go/backend"
)

// expression is the texts of a write's expressions, without its operands. Writes on buckets have few different ones, so that
// each text is made once.
type expression struct {
	condition *string           // nil if there is none
	update    *string           // nil if there is none
	names     map[string]string // of attributes, by placeholder; requests share it
	numbers   int               // among the operands
	operands  int
	guards    bool // whether the driver has added conditions that bound sums
}

// mostExpressions limits the expressions that are kept; a limiter has dozens.
const mostExpressions = 4096

// expressions keeps expressions by their layout and their description.
type expressions struct {
	lock sync.RWMutex
	kept map[described]*expression
}

type described struct {
	layout *backend.Layout
	rest   string
}

// of returns the expression of a write.
func (s *expressions) of(w *backend.Write) *expression {
	var space [256]byte
	rest := describe(space[:0], w)
	s.lock.RLock()
	found := s.kept[described{w.Layout, string(rest)}]
	s.lock.RUnlock()
	if found != nil {
		return found
	}
	made := newExpression(w)
	s.lock.Lock()
	defer s.lock.Unlock()
	if s.kept == nil || len(s.kept) >= mostExpressions {
		s.kept = make(map[described]*expression)
	}
	s.kept[described{w.Layout, string(rest)}] = made
	return made
}

// describe appends a description of the expression: equal ones of one layout have equal texts.
func describe(to []byte, w *backend.Write) []byte {
	to = append(to, flag(w.Remove)|flag(w.Index != nil)<<1|flag(w.Expiry > 0)<<2|flag(w.Expiry == backend.NoExpiry)<<3)
	for i := range w.Conds {
		c := &w.Conds[i]
		to = append(to, byte(c.Slot), byte(c.Op)|flag(c.OrAbsent)<<7)
	}
	to = append(to, 0xff)
	for i := range w.Effects {
		e := &w.Effects[i]
		to = append(to, byte(e.Slot), byte(e.Op)|flag(needsField(e))<<4|flag(e.Base.IsZero())<<5|flag(e.Num.Sign() < 0)<<6|flag(needsGuard(w, e))<<7)
	}
	return to
}

func flag(b bool) byte {
	if b {
		return 1
	}
	return 0
}

// writer writes the texts of an expression. Attributes are named #SLOT. The operands of the i-th condition are :cI and :dI,
// those of the i-th effect :eI, :bI (its base) and :gI (its guard).
type writer struct {
	w          *backend.Write
	expression *expression
	conds      []string
	parts      map[string][]string // of the update, by keyword
}

func newExpression(w *backend.Write) *expression {
	b := writer{w: w, expression: &expression{names: map[string]string{}}, parts: map[string][]string{}}
	for i := range w.Conds {
		b.condition(i)
	}
	for i := range w.Effects {
		b.effect(i)
	}
	b.frame()
	b.expression.condition = joined(b.conds, " AND ")
	var update []string
	for _, keyword := range []string{"SET", "ADD", "REMOVE"} {
		if parts := b.parts[keyword]; parts != nil {
			update = append(update, keyword+" "+strings.Join(parts, ","))
		}
	}
	b.expression.update = joined(update, " ")
	if len(b.expression.names) == 0 {
		b.expression.names = nil // DynamoDB refuses an empty map
	}
	return b.expression
}

func joined(parts []string, by string) *string {
	if len(parts) == 0 {
		return nil
	}
	s := strings.Join(parts, by)
	return &s
}

// name returns the placeholder of a slot's attribute.
func (b *writer) name(s backend.Slot) string {
	placeholder := "#" + strconv.Itoa(int(s))
	b.expression.names[placeholder] = attributeOf(b.w.Layout.Field(s).Name)
	return placeholder
}

// operand counts an operand and returns its placeholder.
func (b *writer) operand(kind string, i int, number bool) string {
	b.expression.operands++
	if number {
		b.expression.numbers++
	}
	return operand(kind, i)
}

// operand returns a placeholder, usually without an allocation.
func operand(kind string, i int) string {
	if i < len(operands[0]) {
		switch kind {
		case ":c":
			return operands[0][i]
		case ":d":
			return operands[1][i]
		case ":e":
			return operands[2][i]
		}
	}
	return kind + strconv.Itoa(i)
}

var operands = func() (all [3][64]string) {
	for k, kind := range []string{":c", ":d", ":e"} {
		for i := range all[k] {
			all[k][i] = kind + strconv.Itoa(i)
		}
	}
	return all
}()

var comparisons = map[backend.Op]string{
	backend.Equal: " = ", backend.NotEqual: " <> ", backend.Less: " < ", backend.AtMost: " <= ", backend.AtLeast: " >= ",
}

// condition appends the i-th condition.
func (b *writer) condition(i int) {
	c := &b.w.Conds[i]
	name, number := b.name(c.Slot), c.Slot.IsNumber()
	absent := "attribute_not_exists(" + name + ")"
	var term string
	switch c.Op {
	case backend.Present:
		term = "attribute_exists(" + name + ")"
	case backend.Absent:
		b.conds = append(b.conds, absent)
		return
	case backend.Between:
		term = name + " BETWEEN " + b.operand(":c", i, number) + " AND " + b.operand(":d", i, number)
	default:
		term = name + comparisons[c.Op] + b.operand(":c", i, number)
	}
	if c.OrAbsent && c.Op != backend.NotEqual {
		term = "(" + absent + " OR " + term + ")"
	}
	b.conds = append(b.conds, term)
}

// effect appends the i-th effect.
func (b *writer) effect(i int) {
	e := &b.w.Effects[i]
	name, number := b.name(e.Slot), e.Slot.IsNumber()
	add := func(keyword, part string) { b.parts[keyword] = append(b.parts[keyword], part) }
	switch {
	case e.Op == backend.Unset:
		add("REMOVE", name)
	case e.Op == backend.Set:
		add("SET", name+"="+b.operand(":e", i, number))
	case e.Op == backend.SetIfAbsent:
		add("SET", name+"=if_not_exists("+name+","+b.operand(":e", i, number)+")")
	case e.Base.IsZero(): // to which ADD adds
		add("ADD", name+" "+b.operand(":e", i, true))
	default:
		add("SET", name+"=if_not_exists("+name+","+b.operand(":b", i, true)+")+"+b.operand(":e", i, true))
	}
	if needsField(e) {
		b.expression.guards = true
		b.conds = append(b.conds, "attribute_exists("+name+")")
	}
	if needsGuard(b.w, e) {
		b.expression.guards = true
		comparison := "<="
		if e.Num.Sign() < 0 {
			comparison = ">="
		}
		b.conds = append(b.conds, "(attribute_not_exists("+name+") OR "+name+comparison+b.operand(":g", i, true)+")")
	}
}

// frame appends place and expiry, and sets emptyField if the write sets nothing else.
func (b *writer) frame() {
	set := func(placeholder, attribute, value string, number bool) {
		b.expression.names[placeholder] = attribute
		b.parts["SET"] = append(b.parts["SET"], placeholder+"="+b.operand(value, 0, number))
	}
	if b.w.Index != nil {
		set("#h", indexHash, ":h", false)
		set("#s", indexSort, ":s", false)
	}
	switch {
	case b.w.Expiry > 0:
		set("#x", expiresAt, ":x", true)
	case b.w.Expiry == backend.NoExpiry:
		b.expression.names["#x"] = expiresAt
		b.parts["REMOVE"] = append(b.parts["REMOVE"], "#x")
	}
	if b.parts["REMOVE"] != nil && b.parts["SET"] == nil && b.parts["ADD"] == nil {
		set("#e", emptyField, ":n", true)
	}
}

// needsGuard reports whether a sum needs a condition that keeps it within 38 digits, because DynamoDB accepts larger numbers
// with few significant digits. A condition of the write may be enough.
func needsGuard(w *backend.Write, e *backend.Effect) bool {
	if e.Op != backend.Add {
		return false
	}
	if hi, lo := e.Num.Parts(); hi == 0 && lo < 1<<63 || hi == -1 && lo >= 1<<63 { // it fits 64 bits
		return false
	}
	for i := range w.Conds {
		c := &w.Conds[i]
		if c.Slot != e.Slot {
			continue
		}
		upper := c.Op == backend.AtMost || c.Op == backend.Less || c.Op == backend.Equal
		if e.Num.Sign() >= 0 && (upper && sumFits(c.A, e) || c.Op == backend.Between && sumFits(c.B, e)) {
			return false
		}
		if e.Num.Sign() < 0 && (c.Op == backend.AtLeast || c.Op == backend.Between || c.Op == backend.Equal) && sumFits(c.A, e) {
			return false
		}
	}
	return true
}

// needsField reports whether a sum would have more than 38 digits if the field is missing.
func needsField(e *backend.Effect) bool { return e.Op == backend.Add && !sumFits(e.Base, e) }

func sumFits(bound backend.Num, e *backend.Effect) bool { return bound.Add(e.Num).Fits38() }
