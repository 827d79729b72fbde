package dynamo

import (
	"fmt"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/backend/num"
)

// decode fills r, whose layout is set, with an item. An empty item leaves r not present.
func decode(of item, r *backend.Record) error {
	if len(of) == 0 {
		return nil
	}
	l := r.Layout()
	r.SetPresent()
	for attribute, v := range of {
		if attribute == expiresAt {
			at, err := strconv.ParseInt(number(v), 10, 64)
			if err != nil {
				return unknownAttribute(attribute, l)
			}
			r.SetExpiry(backend.Expiry(at))
			continue
		}
		field, isField := fieldOf(attribute)
		if !isField {
			continue
		}
		slot, known := l.Slot(field)
		if !known || !set(r, slot, v) {
			return unknownAttribute(attribute, l)
		}
	}
	return nil
}

func unknownAttribute(name string, l *backend.Layout) error {
	return fmt.Errorf("%w: dynamo: the stored record has an attribute %q that layout %s does not have: use the program that wrote it, or a newer one",
		backend.ErrInvalid, name, l.Name())
}

// set sets the slot to v, and reports whether v has the right type.
func set(r *backend.Record, slot backend.Slot, v types.AttributeValue) bool {
	kind := r.Layout().Field(slot).Kind
	switch v := v.(type) {
	case *types.AttributeValueMemberN:
		n, err := num.Parse(v.Value)
		if err != nil || kind != backend.Number {
			return false
		}
		r.SetNum(slot, n)
	case *types.AttributeValueMemberS:
		if kind != backend.Text {
			return false
		}
		r.SetText(slot, v.Value)
	case *types.AttributeValueMemberB:
		if kind != backend.Bytes {
			return false
		}
		r.SetText(slot, string(v.Value))
	default:
		return false
	}
	return true
}

func number(v types.AttributeValue) string {
	if n, ok := v.(*types.AttributeValueMemberN); ok {
		return n.Value
	}
	return ""
}

// values collects the operands of a request. Its numbers share two allocations.
type values struct {
	of      item
	numbers []types.AttributeValueMemberN
	digits  []byte
	ends    []int
}

// newValues returns values with memory for as many numbers, and operands in all.
func newValues(numbers, operands int) values {
	return values{
		of: make(item, operands), numbers: make([]types.AttributeValueMemberN, 0, numbers),
		digits: make([]byte, 0, 20*numbers), ends: make([]int, 0, numbers),
	}
}

func (v *values) number(name string, n backend.Num) {
	v.digits, _ = n.AppendText(v.digits) // which cannot fail
	v.ends = append(v.ends, len(v.digits))
	v.numbers = append(v.numbers, types.AttributeValueMemberN{})
	v.of[name] = &v.numbers[len(v.numbers)-1]
}

func (v *values) int(name string, n int64) { v.number(name, backend.Int(n)) }

func (v *values) text(name, s string, kind backend.Kind) {
	if kind == backend.Bytes {
		v.of[name] = &types.AttributeValueMemberB{Value: []byte(s)}
	} else {
		v.of[name] = text(s)
	}
}

// done returns all operands, or nil if there are none, because DynamoDB refuses an empty map.
func (v *values) done() item {
	if len(v.of) == 0 {
		return nil
	}
	all, from := string(v.digits), 0
	for i, end := range v.ends {
		v.numbers[i].Value, from = all[from:end], end
	}
	return v.of
}

// unitBytes is how many bytes one write unit pays for.
const unitBytes = 1024

// units returns what writing an item costs, from its size by DynamoDB's rules. A write of nothing costs one unit.
func units(of item) float64 {
	size := 0
	for name, v := range of {
		size += len(name)
		switch v := v.(type) {
		case *types.AttributeValueMemberN:
			size += (len(v.Value)+1)/2 + 1
		case *types.AttributeValueMemberS:
			size += len(v.Value)
		case *types.AttributeValueMemberB:
			size += len(v.Value)
		}
	}
	return float64(max(1, (size+unitBytes-1)/unitBytes))
}
