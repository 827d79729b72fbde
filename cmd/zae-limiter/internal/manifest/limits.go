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

// readLimits reads the limits of a level: a mapping of names, or a list.
func (r *reader) readLimits(v value) (limits []engine.Limit) {
	n := r.resolve(v)
	if n == nil {
		return nil
	}
	before := len(r.List)
	if list, ok := n.(*ast.SequenceNode); ok {
		limits = r.readLimitList(list, v.path)
	} else {
		all, ok := r.entries(v, limitsForm, nil)
		if !ok {
			return nil
		}
		for _, e := range all {
			limits = append(limits, r.readLimit(e))
		}
	}
	if len(limits) == 0 && len(r.List) == before {
		r.add(r.at(v.node), v.path, "has no limits: add some, or remove it")
	}
	if len(r.List) == before {
		s := engine.Setting{ID: engine.SettingID{Kind: engine.SettingResource, Resource: "x"}, Exists: true, Limits: limits}
		r.checkSetting(&s, r.at(n), v.path) // checks their number
	}
	slices.SortFunc(limits, func(a, b engine.Limit) int { return strings.Compare(a.Name, b.Name) })
	return limits
}

// readLimitList reads a list of limits. Each is a text as on the command line, or a mapping with one key: YAML parses [rpm: 100],
// and the parser also [rpm:100], as a mapping.
func (r *reader) readLimitList(list *ast.SequenceNode, path string) (limits []engine.Limit) {
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
			limit = r.readLimit(all[0])
		default:
			text, ok := n.(*ast.StringNode)
			if !ok {
				r.add(r.at(n), v.path, "must be a limit, such as rpm:100/min, not %s", kindOf(n))
				continue
			}
			if limit, ok = r.parseRate(text.Value, r.at(n), v.path, "rpm:100, rpm:100/min, or rpm:100/min:150 with a burst"); !ok {
				continue
			}
		}
		if first, twice := at[limit.Name]; twice && limit.Name != "" {
			r.add(r.at(item), v.path, "duplicate limit %s, see line %d: remove one of them", limit.Name, first.Line)
			continue
		}
		at[limit.Name] = r.at(item)
		limits = append(limits, limit)
	}
	return limits
}

// readLimit reads the limit of an entry.
func (r *reader) readLimit(e entry) (l engine.Limit) {
	before := len(r.List)
	l = engine.PerMinute(e.key, 1)
	if r.checkLimit(l, e.at, e.path) {
		return l
	}
	switch n := r.resolve(e.value).(type) {
	case nil:
	case *ast.StringNode, *ast.IntegerNode:
		if digits := textOf(n); isOctal(n) {
			r.add(r.at(n), e.path, "%s begins with 0, which some programs read as octal: write %s", digits, strings.TrimLeft(digits, "0"))
			return l
		}
		l, _ = r.parseRate(e.key+":"+textOf(n), r.at(n), e.path, "100, 100/min, or 100/min:150 with a burst")
	case ast.MapNode:
		if l = r.readLimitMapping(e); len(r.List) == before {
			r.checkLimit(l, r.at(e.node), e.path)
		}
	default:
		r.add(r.at(n), e.path, "must be a limit, not %s: %s", kindOf(n), rateForm)
	}
	return l
}

// isOctal reports whether a node is an integer such as 010: YAML 1.1 reads it as 8, YAML 1.2 as 10.
func isOctal(n ast.Node) bool {
	_, ok := n.(*ast.IntegerNode)
	digits := textOf(n)
	return ok && digits[0] == '0' && strings.Trim(digits, "0123456789") == "" && strings.Trim(digits, "0") != ""
}

// parseRate parses a limit in the syntax of the command line.
func (r *reader) parseRate(text string, at Position, path, forms string) (engine.Limit, bool) {
	l, err := engine.ParseLimit(text)
	var bad *engine.ValidationError
	switch {
	case err == nil:
		return l, true
	case errors.As(err, &bad) && strings.HasPrefix(bad.Field, "limit."):
		r.add(at, path, "%s %v: %s", fieldName(bad.Field), bad.Value, bad.Reason)
	case errors.As(err, &bad):
		part := bad.Field[strings.LastIndex(bad.Field, " ")+1:] // of limit "rpm:x": rate
		r.add(at, path, "%s %q: %s: write %s", part, bad.Value, bad.Reason, forms)
	default:
		r.add(at, path, "%v", err)
	}
	return engine.Limit{}, false
}

// readLimitMapping reads a limit that is a mapping.
func (r *reader) readLimitMapping(e entry) engine.Limit {
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
		l.Capacity = r.readAmount(v)
		l.RefillAmount = l.Capacity
	} else {
		r.add(e.at, e.path, "capacity is missing: add it, for example: {capacity: 100}")
	}
	if v, given := find(keyAmount); given {
		l.RefillAmount = r.readAmount(v)
	}
	if v, given := find(keyBurst); given {
		l.Capacity = r.readAmount(v)
	}
	if v, given := find(keyPeriod); given {
		l.RefillPeriod = r.readPeriod(v)
	}
	return l
}

// readAmount reads a number of tokens.
func (r *reader) readAmount(v value) int64 {
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
	r.add(r.at(n), v.path, "must be a whole number from 1 to 10^15, written in digits, not %s", kindOf(n))
	return 0
}

// readPeriod reads a number of seconds, or a period in the syntax of the command line.
func (r *reader) readPeriod(v value) time.Duration {
	n := r.resolve(v)
	switch n := n.(type) {
	case nil:
		return 0
	case *ast.IntegerNode, *ast.FloatNode:
		seconds, err := strconv.ParseFloat(textOf(n), 64)
		if err == nil && !isOctal(n) && seconds > 0 && seconds < 1e9 {
			return time.Duration(seconds*1e3+0.5) * time.Millisecond
		}
	case *ast.StringNode:
		if l, err := engine.ParseLimit("x:1/" + n.Value); err == nil && !strings.Contains(n.Value, ":") {
			return l.RefillPeriod
		}
	}
	r.add(r.at(n), v.path, `must be a number of seconds or a period such as "5min", not %s`, kindOf(n))
	return 0
}

// checkLimit adds a problem for an invalid limit, and reports whether it did.
func (r *reader) checkLimit(l engine.Limit, at Position, path string) bool {
	s := engine.Setting{ID: engine.SettingID{Kind: engine.SettingResource, Resource: "x"}, Exists: true, Limits: []engine.Limit{l}}
	return r.checkSetting(&s, at, path)
}

// checkSetting adds a problem for an invalid setting, and reports whether it did.
func (r *reader) checkSetting(s *engine.Setting, at Position, path string) (wrong bool) {
	return r.addError(s.Check(), at, path)
}

// addError adds a problem for an error of the engine, and reports whether it did.
func (r *reader) addError(err error, at Position, path string) (wrong bool) {
	var bad *engine.ValidationError
	switch {
	case err == nil:
		return false
	case errors.As(err, &bad):
		r.add(at, path, "%s", strings.TrimLeft(fmt.Sprintf("%s %v: %s", fieldName(bad.Field), quoteString(bad.Value), bad.Reason), " "))
	default:
		r.add(at, path, "%s", strings.TrimPrefix(err.Error(), "engine: "))
	}
	return true
}

// fieldName returns the manifest's name for a field of the engine.
func fieldName(field string) string {
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

func quoteString(v any) any {
	if s, ok := v.(string); ok {
		return strconv.Quote(s)
	}
	return v
}
