package store

import (
	"context"
	"errors"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// readChunk is how many keys one call reads, the most that DynamoDB takes at once.
const readChunk = 100

// Read returns the records of keys. Beside a *backend.UnreadableError it returns those that can be read.
func (s *Store) Read(ctx context.Context, keys []backend.Key) (out []backend.Record, err error) {
	inner, cancel := s.Budget(ctx)
	defer cancel()
	err = s.Retry(inner, func() (final bool, err error) {
		records := make([]backend.Record, len(keys)) // an abandoned call may still write to those of an earlier try
		for i, k := range keys {
			records[i].Reset(schema.LayoutOf(k))
		}
		_, err = s.call(inner, "read", func(ctx context.Context) error { return s.Backend.Read(ctx, keys, records) })
		if final = errors.As(err, new(*backend.UnreadableError)); final || err == nil {
			out = records
		}
		return final, err
	})
	if out != nil {
		return out, err
	}
	return nil, Failure(ctx, err)
}

// ReadOne is Read for one key.
func (s *Store) ReadOne(ctx context.Context, key backend.Key) (*backend.Record, error) {
	out, err := s.Read(ctx, []backend.Key{key})
	if err != nil {
		return nil, err
	}
	return &out[0], nil
}

// Unreadable has the reason for each record that cannot be read, by its index.
type Unreadable map[int]error

// readable reads records, of which some may be unreadable.
func (s *Store) readable(ctx context.Context, keys []backend.Key) ([]backend.Record, Unreadable, error) {
	out, err := s.Read(ctx, keys)
	failed, some := errors.AsType[*backend.UnreadableError](err)
	if !some {
		return out, nil, err
	}
	unreadable := make(Unreadable, len(failed.Indexes))
	for _, i := range failed.Indexes {
		unreadable[i] = failed.Err
	}
	return out, unreadable, nil
}

// ReadMany reads any number of records, several calls at a time. Some records may be unreadable.
func (s *Store) ReadMany(ctx context.Context, keys []backend.Key) ([]backend.Record, Unreadable, error) {
	out, unreadable := make([]backend.Record, len(keys)), Unreadable{}
	var group errgroup.Group
	var lock sync.Mutex // guards unreadable
	group.SetLimit(s.ParallelCalls())
	for from := 0; from < len(keys); from += readChunk {
		to := min(from+readChunk, len(keys))
		group.Go(func() error {
			chunk, reasons, err := s.readable(ctx, keys[from:to])
			copy(out[from:to], chunk)
			lock.Lock()
			defer lock.Unlock()
			for i, err := range reasons {
				unreadable[from+i] = err
			}
			return err
		})
	}
	err := group.Wait()
	return out, unreadable, err
}

// Scan returns the next keys of a namespace, and the position after them, "" at the end. It skips and reports keys that
// this library cannot have written. The backend must be able to scan.
func (s *Store) Scan(ctx context.Context, namespace, after string, size int) (keys []backend.Key, next string, err error) {
	var scanned []backend.Key
	var position string
	err = s.request(ctx, "scan", func(ctx context.Context) (err error) {
		scanned, position, err = s.caps.Scan(ctx, namespace, after, size)
		return err
	})
	if err != nil {
		return nil, "", err
	}
	var skipped Skipped
	defer func() { s.Report(ctx, skipped) }()
	keys = slices.DeleteFunc(scanned, func(k backend.Key) bool {
		bad := k.Validate() != nil
		if bad {
			skipped.Add(1, ErrKey)
		}
		return bad
	})
	return keys, position, nil
}
