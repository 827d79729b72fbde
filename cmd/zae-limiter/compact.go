package main

import (
	"context"
	"fmt"
	"time"

	"github.com/zeroae/zae-limiter-go/backend/bolt"
)

// compactCmd rewrites the file of an embedded store.
type compactCmd struct{}

// Help shows an example.
func (*compactCmd) Help() string {
	return `The file of an embedded store never shrinks by itself: it reuses the room of records that expired. This command removes expired records and writes the others to a new file beside it (named like it, with .compact behind), which replaces the file when it is complete. A crash leaves the one or the other, whole. Mode and owner are kept.

No other process may have the file open: a program that uses it must be stopped first. The command waits for others up to --timeout. Stores of other kinds are a usage error (exit code 2).

Example:

    zae-limiter compact`
}

// Run compacts.
func (*compactCmd) Run(ctx context.Context, app *App) error {
	limiter, err := app.limiter() // chooses the store
	if err != nil {
		return err
	}
	defer limiter.Close() //nolint:errcheck // it was never used
	s := app.store
	switch {
	case s.path == "":
		return usage("%s is no embedded store; only a bbolt file can be compacted", s.url)
	case s.missing():
		return absent("there is no file %s", s.url)
	}
	if err := s.tidyAll(ctx, app.Now()); err != nil {
		return err
	}
	done, err := compactUnder(ctx, s.path, &bolt.Options{Timeout: max(app.Timeout, time.Millisecond)})
	if err != nil {
		return err
	}
	s.wrote(true)
	app.changed("compacted from %s to %s", sizeText(done.Before), sizeText(done.After))
	return nil
}

// compactUnder leaves the compaction alone when ctx ends: the program is about to end, and the old file stays.
func compactUnder(ctx context.Context, file string, o *bolt.Options) (bolt.Compacted, error) {
	type result struct {
		done bolt.Compacted
		err  error
	}
	ended := make(chan result, 1)
	go func() {
		done, err := bolt.Compact(file, o)
		ended <- result{done, err}
	}()
	select {
	case r := <-ended:
		if r.err != nil {
			return r.done, &storeError{r.err}
		}
		return r.done, nil
	case <-ctx.Done():
		return bolt.Compacted{}, ctx.Err()
	}
}

// sizeText is a number of bytes as people read it.
func sizeText(n int64) string {
	const unit = 1024
	switch {
	case n < unit*unit:
		return fmt.Sprintf("%d KiB", (n+unit-1)/unit)
	case n < unit*unit*unit:
		return fmt.Sprintf("%.1f MiB", float64(n)/(unit*unit))
	}
	return fmt.Sprintf("%.1f GiB", float64(n)/(unit*unit*unit))
}
