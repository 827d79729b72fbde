package conformance_test

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/backend/bolt"
	"github.com/zeroae/zae-limiter-go/conformance"
)

// errRaw is a driver's own.
var errRaw = errors.New("raw")

// lists lets a mutant change pages.
func lists(change func(q backend.Query, page *backend.Keys)) func(backend.Backend) broken {
	return func(inner backend.Backend) broken {
		return broken{list: func(ctx context.Context, q backend.Query) (backend.Keys, error) {
			page, err := inner.List(ctx, q)
			if err == nil {
				change(q, &page)
			}
			return page, err
		}}
	}
}

func swapsIndex(inner backend.Backend) broken {
	return lists(func(q backend.Query, page *backend.Keys) {
		if q.Index && len(page.Items) > 1 {
			page.Items[0], page.Items[1] = page.Items[1], page.Items[0]
		}
	})(inner)
}

func repeatsAfter(inner backend.Backend) broken {
	return lists(func(q backend.Query, page *backend.Keys) {
		if q.After != nil && q.Size > 1 && len(page.Items) > 1 {
			page.Items = append([]backend.Item{*q.After}, page.Items[:len(page.Items)-1]...)
		}
	})(inner)
}

func saysNoMore(inner backend.Backend) broken {
	return lists(func(_ backend.Query, page *backend.Keys) { page.More = false })(inner)
}

func takesReversed(inner backend.Backend) broken {
	reversed := func(w backend.Write) bool {
		return slices.ContainsFunc(w.Conds, func(c backend.Cond) bool { return c.Op == backend.Between && c.B.Less(c.A) })
	}
	return broken{apply: func(ctx context.Context, writes []backend.Write, out []backend.Outcome) error {
		if slices.ContainsFunc(writes, reversed) {
			return nil
		}
		return inner.Apply(ctx, writes, out)
	}}
}

func cutsKeys(inner backend.Backend) broken {
	return broken{apply: func(ctx context.Context, writes []backend.Write, out []backend.Outcome) error {
		writes = slices.Clone(writes)
		for i := range writes {
			k := &writes[i].Key
			k.Sort = k.Sort[:min(len(k.Sort), backend.MaxSort)]
		}
		return inner.Apply(ctx, writes, out)
	}}
}

func splitsCommits(inner backend.Backend) broken {
	return broken{commit: func(ctx context.Context, token [16]byte, writes []backend.Write) error {
		if len(writes) > backend.MaxCommit {
			if err := inner.Commit(ctx, token, writes[:backend.MaxCommit]); err != nil {
				return err
			}
			writes = writes[backend.MaxCommit:]
		}
		return inner.Commit(ctx, token, writes)
	}}
}

func writesBeside(inner backend.Backend) broken {
	return broken{apply: func(ctx context.Context, writes []backend.Write, out []backend.Outcome) error {
		for _, w := range writes {
			if w.Validate() == nil {
				continue
			}
			for i := range writes {
				_ = inner.Apply(ctx, writes[i:i+1], out[i:i+1])
			}
			break
		}
		if err := inner.Apply(ctx, writes, out); err != nil {
			return err
		}
		return nil
	}}
}

func ignoresContext(inner backend.Backend) broken {
	return broken{
		read: func(ctx context.Context, keys []backend.Key, out []backend.Record) error {
			return inner.Read(context.WithoutCancel(ctx), keys, out)
		},
		apply: func(ctx context.Context, writes []backend.Write, out []backend.Outcome) error {
			return inner.Apply(context.WithoutCancel(ctx), writes, out)
		},
		commit: func(ctx context.Context, token [16]byte, writes []backend.Write) error {
			return inner.Commit(context.WithoutCancel(ctx), token, writes)
		},
		list: func(ctx context.Context, q backend.Query) (backend.Keys, error) {
			return inner.List(context.WithoutCancel(ctx), q)
		},
	}
}

func looksLate(inner backend.Backend) broken {
	return broken{commit: func(ctx context.Context, token [16]byte, writes []backend.Write) error {
		if err := inner.Commit(context.WithoutCancel(ctx), token, writes); err != nil {
			return err
		}
		return ctx.Err()
	}}
}

func rawErrors(inner backend.Backend) broken {
	return broken{commit: func(ctx context.Context, token [16]byte, writes []backend.Write) error {
		err := inner.Commit(ctx, token, writes)
		if errors.Is(err, backend.ErrInvalid) || errors.Is(err, backend.ErrTooLarge) {
			return errRaw
		}
		return err
	}}
}

func allInvalid(inner backend.Backend) broken {
	return broken{apply: func(ctx context.Context, writes []backend.Write, out []backend.Outcome) error {
		err := inner.Apply(ctx, writes, out)
		if errors.Is(err, backend.ErrTooLarge) {
			return backend.ErrInvalid
		}
		return err
	}}
}

// hidesBehindOdd lets one record that cannot be read keep all others back.
func hidesBehindOdd(inner backend.Backend) broken {
	return broken{read: func(ctx context.Context, keys []backend.Key, out []backend.Record) error {
		err := inner.Read(ctx, keys, out)
		if errors.As(err, new(*backend.UnreadableError)) {
			return backend.ErrInvalid
		}
		return err
	}}
}

func neverCloses(backend.Backend) broken { return broken{close: func() error { return nil }} }

func closesOnce(inner backend.Backend) broken {
	closed := new(atomic.Bool)
	return broken{close: func() error {
		if closed.Swap(true) {
			return backend.ErrClosed
		}
		return inner.Close()
	}}
}

func sharesRecords(inner backend.Backend) broken {
	return broken{read: func(ctx context.Context, keys []backend.Key, out []backend.Record) error {
		err := inner.Read(ctx, keys, out)
		for i := range keys {
			if j := slices.Index(keys, keys[i]); err == nil && j < i {
				out[i] = out[j]
			}
		}
		return err
	}}
}

func judgesExpired(inner backend.Backend) broken {
	const now = 1_700_000_000
	return broken{apply: func(ctx context.Context, writes []backend.Write, out []backend.Outcome) error {
		if len(writes) == 1 && writes[0].Validate() == nil && len(writes[0].Conds) > 0 {
			r, _ := judged(ctx, inner, &writes[0])
			var none backend.Record
			none.Reset(writes[0].Layout)
			if e := r.Expiry(); r.Present() && e != backend.NoExpiry && e < now && !backend.Check(&none, &writes[0]) {
				out[0] = backend.Outcome{Record: none}
				return nil
			}
		}
		return inner.Apply(ctx, writes, out)
	}}
}

// powerMutants break a promise of a further power.
var powerMutants = []struct {
	promise string
	name    string
	breaks  func(backend.Backend) backend.Backend
}{
	{"Feed", "forgets changes that were not taken", with(feedForgets)},
	{"Feed", "feeds changes that change nothing", with(feedRepeats)},
	{"Sweep", "sweeps at the instant of expiry", with(sweepsEarly)},
	{"Max", "adds to the lesser of the two", func(s backend.Backend) backend.Backend { return addsElsewhere{s, toLesser} }},
	{"Max", "counts a missing field as zero", func(s backend.Backend) backend.Backend { return addsElsewhere{s, missingIsZero} }},
	{"Scan", "scans without the last key of a page", with(scansLess)},
}

func runPowers(t *testing.T, breaks func(backend.Backend) backend.Backend) {
	opened := func(t testing.TB) backend.Backend { return breaks(open(t)) }
	conformance.RunFeed(t, opened)
	conformance.RunSweep(t, opened)
	conformance.RunScan(t, opened)
	conformance.RunMax(t, opened)
}

// empowered is a store of which a power is replaced.
type empowered struct {
	backend.Backend
	caps backend.Capabilities
}

func (e empowered) Capabilities() backend.Capabilities { return e.caps }

func with(change func(*backend.Capabilities)) func(backend.Backend) backend.Backend {
	return func(s backend.Backend) backend.Backend {
		caps := s.Capabilities()
		change(&caps)
		return empowered{s, caps}
	}
}

func feedForgets(c *backend.Capabilities) {
	feed := c.Feed
	c.Feed = func(ctx context.Context, layouts backend.Layouts, size int, take func([]backend.Change) error) (int, error) {
		var failed error
		n, err := feed(ctx, layouts, size, func(changes []backend.Change) error {
			failed = take(changes)
			return nil
		})
		if failed != nil {
			return 0, failed
		}
		return n, err
	}
}

func feedRepeats(c *backend.Capabilities) {
	feed := c.Feed
	c.Feed = func(ctx context.Context, layouts backend.Layouts, size int, take func([]backend.Change) error) (int, error) {
		return feed(ctx, layouts, size, func(changes []backend.Change) error {
			if len(changes) < size {
				c := changes[len(changes)-1]
				c.Before.CopyFrom(&c.After)
				changes = append(slices.Clone(changes), c)
			}
			return take(changes)
		})
	}
}

func sweepsEarly(c *backend.Capabilities) {
	sweep := c.Sweep
	c.Sweep = func(ctx context.Context, now int64) (int, error) { return sweep(ctx, now+1) }
}

func scansLess(c *backend.Capabilities) {
	scan := c.Scan
	c.Scan = func(ctx context.Context, namespace, after string, size int) ([]backend.Key, string, error) {
		keys, next, err := scan(ctx, namespace, after, size)
		if len(keys) > 1 && next != "" {
			keys = keys[:len(keys)-1]
		}
		return keys, next, err
	}
}

// runDurable runs the promises of a store in a file, which is another one each time it is opened if it forgets.
func runDurable(t *testing.T, forgets bool) {
	conformance.RunDurable(t, func(t testing.TB) conformance.Open {
		path := filepath.Join(t.TempDir(), "store")
		return func(t testing.TB) backend.Backend {
			if forgets {
				path = filepath.Join(t.TempDir(), "store")
			}
			return openBolt(t, path)
		}
	})
}

func openBolt(t testing.TB, path string) backend.Backend {
	s, err := bolt.Open(path, &bolt.Options{NoSync: true, Feed: true})
	if err != nil {
		t.Fatal(err)
	}
	return s
}
