package manifest

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"github.com/zeroae/zae-limiter-go/engine"
)

// The keys of the mapping form of a limit.
const (
	keyCapacity = "capacity"
	keyAmount   = "refill_amount"
	keyPeriod   = "refill_period"
	keyBurst    = "burst"
)

const (
	limitsForm = "such as rpm: 100/min"
	rateForm   = `write a rate such as 100, 100/min, or 100/min:150 with a burst`
)

// limits reads the limits of a level: a mapping of names, or a list.
func (r *reader) limits(v value) (limits []engine.Limit) {
	n := r.resolve(v)
	if n == nil {
		return nil
	}
	before := len(r.List)
	if list, ok := n.(*ast.SequenceNode); ok {
		limits = r.listed(list, v.path)
	} else {
		all, ok := r.entries(v, limitsForm, nil)
		if !ok {
			return nil
		}
		for _, e := range all {
			limits = append(limits, r.limit(e))
		}
	}
	if len(limits) == 0 && len(r.List) == before {
		r.add(r.at(v.node), v.path, "has no limits; write some, or leave it out where there shall be none")
	}
	if len(r.List) == before {
		s := engine.Setting{ID: engine.SettingID{Kind: engine.SettingResource, Resource: "x"}, Exists: true, Limits: limits}
		r.check(&s, r.at(n), v.path) // how many they are
	}
	slices.SortFunc(limits, func(a, b engine.Limit) int { return strings.Compare(a.Name, b.Name) })
	return limits
}

// listed reads a list of limits, each as on the command line; or as a mapping of one key, which is how YAML reads
// [rpm: 100], and the parser [rpm:100].
func (r *reader) listed(list *ast.SequenceNode, path string) (limits []engine.Limit) {
	at := map[string]Position{}
	for i, item := range list.Values {
		v := value{item, fmt.Sprintf("%s[%d]", path, i)}
		n := r.resolve(v)
		var limit engine.Limit
		switch n := n.(type) {
		case nil:
			continue
		case ast.MapNode:
			all, _ := r.entries(v, limitsForm, nil)
			if len(all) != 1 {
				r.add(r.at(item), v.path, "must be one limit, such as rpm:100/min")
				continue
			}
			limit = r.limit(all[0])
		default:
			text, ok := n.(*ast.StringNode)
			if !ok {
				r.add(r.at(n), v.path, "must be a limit, such as rpm:100/min, and is %s", kindOf(n))
				continue
			}
			if limit, ok = r.rate(text.Value, r.at(n), v.path, "rpm:100, rpm:100/min, or rpm:100/min:150 with a burst"); !ok {
				continue
			}
		}
		if first, twice := at[limit.Name]; twice && limit.Name != "" {
			r.add(r.at(item), v.path, "%s stands in line %d, too; leave one of them", limit.Name, first.Line)
			continue
		}
		at[limit.Name] = r.at(item)
		limits = append(limits, limit)
	}
	return limits
}

// limit reads one limit below its name.
func (r *reader) limit(e entry) (l engine.Limit) {
	before := len(r.List)
	l = engine.PerMinute(e.key, 1)
	if r.limitFault(l, e.at, e.path) {
		return l
	}
	switch n := r.resolve(e.value).(type) {
	case nil:
	case *ast.StringNode, *ast.IntegerNode:
		l, _ = r.rate(e.key+":"+textOf(n), r.at(n), e.path, "100, 100/min, or 100/min:150 with a burst")
	case ast.MapNode:
		if l = r.longLimit(e); len(r.List) == before {
			r.limitFault(l, r.at(e.node), e.path)
		}
	default:
		r.add(r.at(n), e.path, "must be a limit, and is %s; %s", kindOf(n), rateForm)
	}
	return l
}

// rate reads a limit as the command line has it.
func (r *reader) rate(text string, at Position, path, forms string) (engine.Limit, bool) {
	l, err := engine.ParseLimit(text)
	var bad *engine.ValidationError
	switch {
	case err == nil:
		return l, true
	case errors.As(err, &bad) && strings.HasPrefix(bad.Field, "limit."):
		r.add(at, path, "%s %v: %s", words(bad.Field), bad.Value, bad.Reason)
	case errors.As(err, &bad):
		part, _, _ := strings.Cut(bad.Field, " of ")
		r.add(at, path, "%s %q: %s; write %s", part, bad.Value, bad.Reason, forms)
	default:
		r.add(at, path, "%v", err)
	}
	return engine.Limit{}, false
}

// longLimit reads the mapping form.
func (r *reader) longLimit(e entry) engine.Limit {
	all, _ := r.entries(e.value, "such as {capacity: 100}", []string{keyCapacity, keyAmount, keyPeriod, keyBurst})
	find := func(key string) (value, bool) {
		i := slices.IndexFunc(all, func(o entry) bool { return o.key == key })
		if i < 0 {
			return value{}, false
		}
		return all[i].value, true
	}
	l := engine.Limit{Name: e.key, RefillPeriod: time.Minute}
	if v, given := find(keyCapacity); given {
		l.Capacity = r.amount(v)
		l.RefillAmount = l.Capacity
	} else {
		r.add(e.at, e.path, "lacks capacity; add it, for example: {capacity: 100}")
	}
	if v, given := find(keyAmount); given {
		l.RefillAmount = r.amount(v)
	}
	if v, given := find(keyBurst); given {
		l.Capacity = r.amount(v)
	}
	if v, given := find(keyPeriod); given {
		l.RefillPeriod = r.period(v)
	}
	return l
}

// amount reads a number of tokens.
func (r *reader) amount(v value) int64 {
	n := r.resolve(v)
	if n == nil {
		return 0
	}
	number, ok := n.(*ast.IntegerNode)
	if ok {
		if digits := textOf(number); digits == "0" || digits[0] != '0' && digits[0] != '+' {
			if tokens, err := strconv.ParseInt(digits, 10, 64); err == nil {
				return tokens
			}
		}
	}
	r.add(r.at(n), v.path, "must be a whole number from 1 to 10^15, written in digits, and is %s", kindOf(n))
	return 0
}

// period reads a number of seconds, or a period as the command line has it.
func (r *reader) period(v value) time.Duration {
	n := r.resolve(v)
	switch n := n.(type) {
	case nil:
		return 0
	case *ast.IntegerNode, *ast.FloatNode:
		seconds, err := strconv.ParseFloat(textOf(n), 64)
		if err == nil && seconds > 0 && seconds < 1e9 {
			return time.Duration(seconds*1e3+0.5) * time.Millisecond
		}
	case *ast.StringNode:
		if l, err := engine.ParseLimit("x:1/" + n.Value); err == nil {
			return l.RefillPeriod
		}
	}
	r.add(r.at(n), v.path, `must be a number of seconds, or such as "5min", and is %s`, kindOf(n))
	return 0
}

// limitFault tells what is wrong with one limit.
func (r *reader) limitFault(l engine.Limit, at Position, path string) bool {
	s := engine.Setting{ID: engine.SettingID{Kind: engine.SettingResource, Resource: "x"}, Exists: true, Limits: []engine.Limit{l}}
	return r.check(&s, at, path)
}

// check tells what is wrong with a setting that is well formed.
func (r *reader) check(s *engine.Setting, at Position, path string) (wrong bool) {
	return r.fault(s.Check(), at, path)
}

// fault tells what the engine says of a part of the manifest.
func (r *reader) fault(err error, at Position, path string) (wrong bool) {
	var bad *engine.ValidationError
	switch {
	case err == nil:
		return false
	case errors.As(err, &bad):
		r.add(at, path, "%s", strings.TrimLeft(fmt.Sprintf("%s %v: %s", words(bad.Field), quoted(bad.Value), bad.Reason), " "))
	default:
		r.add(at, path, "%s", strings.TrimPrefix(err.Error(), "engine: "))
	}
	return true
}

// words is a field of the engine in the words of a manifest.
func words(field string) string {
	if i := strings.LastIndexByte(field, '.'); i >= 0 {
		field = field[i+1:]
	}
	name, _, _ := strings.Cut(field, "[")
	switch name {
	case "RefillAmount":
		return "refill amount"
	case "RefillPeriod":
		return "refill period"
	case "Limits":
		return ""
	}
	return strings.ToLower(name)
}

func quoted(v any) any {
	if s, ok := v.(string); ok {
		return strconv.Quote(s)
	}
	return v
}
