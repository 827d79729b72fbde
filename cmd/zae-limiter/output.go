package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
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

// document is a command's result. docs/cli-output.md specifies its JSON; its table is for people and may change.
type document interface{ table() table }

// table has rows below a head; without a head, each row is a name and its value.
type table struct {
	head []string
	rows [][]string
	foot string // a line after the rows
	next string // the position of the next page, empty on the last one
}

// print writes a result to standard output.
func (a *App) print(f Format, d document) error {
	var text []byte
	var err error
	switch f {
	case formatTable:
		if prose, ok := d.(interface{ text(styled bool) string }); ok { // for results that do not fit into a table
			text = []byte(prose.text(a.styled()))
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

func encode(d any) ([]byte, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	err := encoder.Encode(d)
	return text.Bytes(), err
}

// list is a page of entries, each a row of a table.
type list[T interface{ cells() []string }] struct {
	key   string // of the entries in JSON
	head  []string
	items []T
	next  string
}

// listOf returns a page of entries that were made from others.
func listOf[F any, T interface{ cells() []string }](key string, head []string, from []F, next string, entry func(F) T) list[T] {
	return list[T]{key, head, mapSlice(from, entry), next}
}

// MarshalJSON returns an object with the entries and the position of the next page.
func (l list[T]) MarshalJSON() ([]byte, error) {
	items, err := encode(l.items)
	if err != nil {
		return nil, err
	}
	next, err := encode(orNull(l.next))
	return fmt.Appendf(nil, "{%q: %s, \"next\": %s}", l.key, items, next), err
}

func (l list[T]) table() table {
	return table{head: l.head, rows: mapSlice(l.items, T.cells), next: l.next}
}

// tabulate aligns the columns and, on a terminal that supports it, prints the head in bold.
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
	if t.head != nil && a.styled() {
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

// rowsOf returns a row for each field of a document that has this tag, whose text is the row's name. A nil pointer is an empty
// cell.
func rowsOf(d any, tag string) (rows [][]string) {
	for field, value := range reflect.ValueOf(d).Fields() {
		name, shown := field.Tag.Lookup(tag)
		if !shown {
			continue
		}
		if value.Kind() == reflect.Pointer && !value.IsNil() {
			value = value.Elem()
		}
		cell := ""
		switch v := value.Interface().(type) {
		case bool:
			cell = yesNo(v)
		default:
			if value.Kind() != reflect.Pointer {
				cell = fmt.Sprint(v)
			}
		}
		rows = append(rows, []string{name, cell})
	}
	return rows
}

// orDash returns the printable form of a cell, and a dash for an empty one.
func orDash(cell string) string {
	if cell == "" {
		return "-"
	}
	return printable(cell)
}

// printable replaces control characters by question marks, and other invisible characters, and those that change the
// direction of text, by their number, such as \u202e.
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

// moment is a time in a document; the zero time is null in JSON.
type moment struct{ time.Time }

// MarshalJSON returns the time as RFC 3339 in UTC.
func (m moment) MarshalJSON() ([]byte, error) {
	if m.IsZero() {
		return []byte("null"), nil
	}
	return json.Marshal(m.UTC().Format(time.RFC3339Nano))
}

// String returns the time for tables, empty for the zero time.
func (m moment) String() string {
	if m.IsZero() {
		return ""
	}
	return m.UTC().Format("2006-01-02 15:04:05Z")
}

// orNull returns a text for a document; an empty text is null in JSON.
func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
