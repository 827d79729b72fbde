package engine_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"testing"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine"
)

func TestPageValidation(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	for i := range 3 {
		must(t, w.CreateEntity(ctx, engine.Entity{ID: fmt.Sprint("e", i), Parent: "p"}, anyParent))
		must(t, w.SetResourceDefaults(ctx, fmt.Sprint("r", i), []engine.Limit{engine.PerMinute("rpm", 1)}))
	}
	entities, err := w.Entities(ctx, engine.Page{Size: 1})
	must(t, err)
	children, err := w.Children(ctx, "p", engine.Page{Size: 1})
	must(t, err)
	encode := func(parts string) string { return base64.RawURLEncoding.EncodeToString([]byte(parts)) }
	for what, p := range map[string]engine.Page{
		"Page.Size":  {Size: -1},
		"Page.Size ": {Size: 1001},
		"not base64": {After: "*"},
		"one part":   {After: encode("|entities")},
		"five parts": {After: encode("|entities\x00a\x00e|a\x00entity\x00")},
		"no key":     {After: encode("|entities\x00a\x00\x00")},
		"no kind":    {After: encode("|entities\x00a\x00?|\x00x")},
		"not UTF-8":  {After: encode("|entities\x00a\x00e|\xff\x00entity")},
		"other list": {After: children.Next},
	} {
		field := "Page.After"
		if p.After == "" {
			field = "Page.Size"
		}
		_, err := w.Entities(ctx, p)
		wants(t, what, err, invalid(field))
	}
	for what, after := range map[string]string{
		"other list":      entities.Next,
		"outside":         encode("e|p\x00entity\x00e|p\x00entity"),
		"sort of another": encode("e|p\x00child|a\x00e|p\x00child|b"),
		"other partition": encode("e|p\x00child|a\x00e|q\x00child|a"),
	} {
		_, err := w.Children(ctx, "p", engine.Page{After: after})
		wants(t, what, err, invalid("Page.After"))
	}
	_, err = w.Resources(ctx, engine.Page{After: entities.Next})
	wants(t, "other index", err, invalid("Page.After"))
	page, err := w.Resources(ctx, engine.Page{})
	must(t, err)
	equal(t, "default size", page, engine.List[string]{Items: []string{"r0", "r1", "r2"}})
}

// Records that are deleted between two pages, or that only the index still has, leave no gaps and no empty page.
func TestPagesFillUp(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	for i := range 40 {
		must(t, w.SetResourceDefaults(ctx, fmt.Sprintf("r%02d", i), []engine.Limit{engine.PerMinute("rpm", 1)}))
	}
	first, err := w.Resources(ctx, engine.Page{Size: 5})
	must(t, err)
	for i := range 30 { // among them those of the first page, also its last item
		must(t, w.DeleteResourceDefaults(ctx, fmt.Sprintf("r%02d", i)))
	}
	second, err := w.Resources(ctx, engine.Page{Size: 5, After: first.Next})
	must(t, err)
	equal(t, "second page", second.Items, []string{"r30", "r31", "r32", "r33", "r34"})
	third, err := w.Resources(ctx, engine.Page{Size: 5, After: second.Next})
	must(t, err)
	equal(t, "third page", third, engine.List[string]{Items: []string{"r35", "r36", "r37", "r38", "r39"}})

	l := w.limiter(&haunted{w.trouble}, nil)
	for _, size := range []int{1, 2, 5, 9, 10, 11} {
		equal(t, fmt.Sprint("pages of ", size), len(pages(t, size, func(p engine.Page) (engine.List[string], error) { return l.Resources(ctx, p) })), 10)
	}
}

// haunted lists each key of an index after keys of deleted records, and always reports that there is more.
type haunted struct{ *trouble }

func (s *haunted) List(ctx context.Context, q backend.Query) (backend.Keys, error) {
	keys, err := s.trouble.List(ctx, q)
	var all []backend.Item
	for _, it := range keys.Items {
		dead := it
		dead.Key.Partition += "x"
		all = append(all, dead, it)
	}
	return backend.Keys{Items: all, More: len(all) > 0}, err
}

// An error at any call fails the whole page. Calls that fail for a moment are resent.
func TestPageThroughTrouble(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	for i := range 3 {
		must(t, w.CreateEntity(ctx, engine.Entity{ID: fmt.Sprint("e", i)}, nil))
	}
	l := w.troubled()
	_, err := l.Entities(ctx, engine.Page{})
	must(t, err) // reads the version of the schema, once
	for _, c := range []struct {
		script []fault
		want   error
	}{
		{[]fault{refused, gone, refused}, nil},
		{[]fault{fine, gone, refused}, nil},
		{[]fault{refused, refused, refused, refused}, engine.ErrUnavailable},
		{[]fault{broken}, errBroken},
		{[]fault{fine, broken}, errBroken},
	} {
		w.trouble.will(c.script...)
		page, err := l.Entities(ctx, engine.Page{})
		wants(t, fmt.Sprint(c.script), err, c.want)
		if want := 3; err == nil && len(page.Items) != want || err != nil && len(page.Items) != 0 {
			t.Errorf("%v: %v", c.script, page)
		}
		w.trouble.will()
		must(t, l.Ping(ctx)) // closes the breaker
	}
}
