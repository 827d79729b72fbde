package memory_test

import (
	"errors"
	"sync"
	"testing"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/backend/memory"
)

// TestCloseDuringCalls closes a store while it is read and listed: no call says that records are missing.
func TestCloseDuringCalls(t *testing.T) {
	t.Parallel()
	const most = 1000
	layout := backend.NewLayout("test", backend.Field{Name: "n"})
	for range 50 {
		s := memory.New(nil)
		keys, writes, out := make([]backend.Key, most), make([]backend.Write, most), make([]backend.Outcome, most)
		for i := range keys {
			keys[i] = backend.Key{Namespace: "n", Partition: "p", Sort: string(rune('a' + i))}
			writes[i] = backend.Write{Key: keys[i], Layout: layout, Effects: []backend.Effect{{Op: backend.Set}}}
		}
		if err := s.Apply(t.Context(), writes, out); err != nil {
			t.Fatal(err)
		}
		calls := map[string]func() (int, error){
			"Read": func() (n int, err error) {
				records := make([]backend.Record, most)
				for i := range records {
					records[i].Reset(layout)
				}
				err = s.Read(t.Context(), keys, records)
				for i := range records {
					if records[i].Present() {
						n++
					}
				}
				return n, err
			},
			"List": func() (int, error) {
				page, err := s.List(t.Context(), backend.Query{Namespace: "n", Partition: "p", Size: most})
				return len(page.Items), err
			},
			"Scan": func() (int, error) {
				found, _, err := s.Scan(t.Context(), "n", "", most)
				return len(found), err
			},
		}
		var begun, ended sync.WaitGroup
		begun.Add(len(calls))
		for name, call := range calls {
			ended.Go(func() {
				n, err := call()
				for begun.Done(); err == nil; n, err = call() {
					if n != most {
						t.Errorf("%s finds %d of %d records in a store that is being closed", name, n, most)
					}
				}
				if !errors.Is(err, backend.ErrClosed) {
					t.Errorf("%s: %v", name, err)
				}
			})
		}
		begun.Wait()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		ended.Wait()
	}
}
