package num

import (
	"encoding"
	"encoding/json"
	"errors"
	"math/big"
	"regexp"
	"strings"
	"testing"
)

var (
	_ encoding.TextAppender    = Int{}
	_ encoding.TextMarshaler   = Int{}
	_ encoding.TextUnmarshaler = (*Int)(nil)
)

func checkText(t failer, a Int) {
	t.Helper()
	want := oracle(a).String()
	if got := a.String(); got != want {
		t.Errorf("String = %s, want %s", got, want)
	}
	if got, err := a.AppendText([]byte("x")); err != nil || string(got) != "x"+want {
		t.Errorf("AppendText = %s, %v, want x%s", got, err, want)
	}
	text, err := a.MarshalText()
	if err != nil || string(text) != want {
		t.Errorf("MarshalText = %s, %v, want %s", text, err, want)
	}
	var back Int
	if err := back.UnmarshalText(text); err != nil || back != a {
		t.Errorf("UnmarshalText(%s) = %v, %v", text, back, err)
	}
	if got, err := Parse(want); err != nil || got != a {
		t.Errorf("Parse(%s) = %v, %v", want, got, err)
	}
}

func TestTextEdges(t *testing.T) {
	t.Parallel()
	for _, e := range edges {
		checkText(t, e.v)
		if got := e.v.String(); got != e.text {
			t.Errorf("String = %s, want %s", got, e.text)
		}
	}
}

func TestParseTable(t *testing.T) {
	t.Parallel()
	zeros := strings.Repeat("0", 100)
	for _, c := range []struct {
		in   string
		want Int
		err  error
	}{
		{"-0", Int{}, nil},
		{"007", FromInt64(7), nil},
		{zeros, Int{}, nil},
		{"-" + zeros + "12", FromInt64(-12), nil},
		{zeros + maxInt.String(), maxInt, nil},
		{"", Int{}, ErrSyntax},
		{"-", Int{}, ErrSyntax},
		{"--1", Int{}, ErrSyntax},
		{"+1", Int{}, ErrSyntax},
		{" 1", Int{}, ErrSyntax},
		{"1 ", Int{}, ErrSyntax},
		{"1_000", Int{}, ErrSyntax},
		{"0x10", Int{}, ErrSyntax},
		{"1.0", Int{}, ErrSyntax},
		{"1e3", Int{}, ErrSyntax},
		{"1/", Int{}, ErrSyntax},
		{"1:", Int{}, ErrSyntax},
		{"١", Int{}, ErrSyntax},
		{strings.Repeat("9", 50) + "x", Int{}, ErrSyntax},
		{"170141183460469231731687303715884105728", Int{}, ErrRange},
		{"-170141183460469231731687303715884105729", Int{}, ErrRange},
		{"184467440737095516159999999999999999999", Int{}, ErrRange},
		{"-184467440737095516159999999999999999999", Int{}, ErrRange},
		{"184467440737095516160000000000000000000", Int{}, ErrRange},
		{"340282366920938463463374607431768211456", Int{}, ErrRange},
		{strings.Repeat("9", 39), Int{}, ErrRange},
		{"1" + strings.Repeat("0", 39), Int{}, ErrRange},
	} {
		got, err := Parse(c.in)
		if got != c.want || !errors.Is(err, c.err) {
			t.Errorf("Parse(%q) = %v, %v, want %v, %v", c.in, got, err, c.want, c.err)
		}
	}
}

func TestUnmarshalTextKeeps(t *testing.T) {
	t.Parallel()
	a := FromInt64(5)
	if err := a.UnmarshalText([]byte("nine")); !errors.Is(err, ErrSyntax) || a != FromInt64(5) {
		t.Errorf("after a bad text: %v, %v", a, err)
	}
	if err := a.UnmarshalText([]byte(strings.Repeat("9", 1<<16))); !errors.Is(err, ErrRange) || len(err.Error()) > 200 {
		t.Errorf("a long text: %.300v", err)
	}
}

func TestJSON(t *testing.T) {
	t.Parallel()
	in := map[string]Int{"a": minInt}
	text, err := json.Marshal(in)
	if err != nil || string(text) != `{"a":"-170141183460469231731687303715884105728"}` {
		t.Errorf("Marshal = %s, %v", text, err)
	}
	var out map[string]Int
	if err := json.Unmarshal(text, &out); err != nil || out["a"] != minInt {
		t.Errorf("Unmarshal = %v, %v", out, err)
	}
}

// FuzzParse holds Parse against its grammar and math/big, on any text.
func FuzzParse(f *testing.F) {
	for _, e := range edges {
		f.Add(e.text)
	}
	for _, s := range []string{"", "-", "+1", "-00", "0000000000000000000000000000000000000000001", "1e5", "184467440737095516160000000000000000000"} {
		f.Add(s)
	}
	grammar := regexp.MustCompile(`\A-?[0-9]+\z`)
	f.Fuzz(func(t *testing.T, s string) {
		got, err := Parse(s)
		if !grammar.MatchString(s) {
			if !errors.Is(err, ErrSyntax) {
				t.Fatalf("Parse(%q) = %v, %v", s, got, err)
			}
			return
		}
		x, _ := new(big.Int).SetString(s, 10)
		if !fits(x) {
			if !errors.Is(err, ErrRange) {
				t.Fatalf("Parse(%q) = %v, %v", s, got, err)
			}
			return
		}
		if err != nil {
			t.Fatalf("Parse(%q): %v", s, err)
		}
		same(t, "Parse", got, x)
		checkText(t, got)
	})
}
