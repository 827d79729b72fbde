package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/goccy/go-yaml"
)

// Format is how results are printed.
type Format string

const (
	formatTable Format = "table"
	formatYAML  Format = "yaml"
)

// document is a result. Its JSON is a contract (docs/cli-output.md); its table is for people.
type document interface{ table() table }

// table is rows under a head; without a head each row is a name and its value.
type table struct {
	head []string
	rows [][]string
	foot string // a line behind them
	next string // where the list goes on
}

// print writes a result to standard output. Nothing else does.
func (a *App) print(f Format, d document) error {
	var text []byte
	var err error
	switch f {
	case formatTable:
		if prose, ok := d.(interface{ text(fancy bool) string }); ok { // of one that is no table
			text = []byte(prose.text(a.fancy()))
		} else {
			text = a.tabulate(d.table())
		}
	case formatYAML:
		if text, err = encode(d); err == nil {
			text, err = yaml.JSONToYAML(text)
		}
	default:
		text, err = encode(d)
	}
	if err != nil {
		return err
	}
	_, err = a.Out.Write(text)
	return err
}

func encode(d document) ([]byte, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	err := encoder.Encode(d)
	return text.Bytes(), err
}

// tabulate aligns the columns. On a terminal that knows how, the head stands out.
func (a *App) tabulate(t table) []byte {
	var text bytes.Buffer
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	if t.head != nil {
		fmt.Fprintln(w, strings.Join(t.head, "\t"))
	}
	for _, row := range t.rows {
		for i, cell := range row {
			row[i] = orDash(cell)
		}
		fmt.Fprintln(w, strings.Join(row, "\t"))
	}
	w.Flush()
	lines := strings.SplitAfter(text.String(), "\n")
	for i, line := range lines {
		if trimmed := strings.TrimRight(line, " \n"); trimmed != line && line != "" {
			lines[i] = trimmed + "\n"
		}
	}
	if t.head != nil && a.fancy() {
		lines[0] = "\x1b[1m" + strings.TrimSuffix(lines[0], "\n") + "\x1b[0m\n"
	}
	if t.foot != "" {
		lines = append(lines, t.foot+"\n")
	}
	if t.next != "" {
		lines = append(lines, "\nmore: --after "+t.next+"\n")
	}
	return []byte(strings.Join(lines, ""))
}

// orDash makes an empty cell visible.
func orDash(cell string) string {
	if cell == "" {
		return "-"
	}
	return printable(cell)
}

// printable keeps control characters off the terminal, and shows what cannot be seen or turns the text around it by its
// number, such as \u202e.
func printable(text string) string {
	var shown strings.Builder
	for _, r := range text {
		switch {
		case unicode.IsGraphic(r):
			shown.WriteRune(r)
		case unicode.IsControl(r):
			shown.WriteByte('?')
		case r > 0xffff:
			fmt.Fprintf(&shown, "\\U%08x", r)
		default:
			fmt.Fprintf(&shown, "\\u%04x", r)
		}
	}
	return shown.String()
}

// moment is a time in a document, null where there is none.
type moment struct{ time.Time }

// MarshalJSON gives RFC 3339 in UTC.
func (m moment) MarshalJSON() ([]byte, error) {
	if m.IsZero() {
		return []byte("null"), nil
	}
	return json.Marshal(m.UTC().Format(time.RFC3339Nano))
}

// String is for tables.
func (m moment) String() string {
	if m.IsZero() {
		return ""
	}
	return m.UTC().Format("2006-01-02 15:04:05Z")
}

// orNull is a text in a document, null where there is none.
func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
