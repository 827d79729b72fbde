package main

import (
	"context"
	"fmt"
	"time"

	"github.com/zeroae/zae-limiter-go/backend/bolt"
)

// compactCmd shrinks the file of an embedded store.
type compactCmd struct{}

func (*compactCmd) Run(ctx context.Context, app *App) error {
	if err := app.selectStore(); err != nil {
		return err
	}
	s := app.store
	switch {
	case s.path == "":
		return usageErrorf("%s is not an embedded store: only a bbolt file can be compacted", s.url)
	case s.isMissing():
		return notFound("%s does not exist", s.url)
	}
	if err := s.tidyAll(ctx, app.Now()); err != nil {
		return err
	}
	done, err := compactFile(ctx, s.path, &bolt.Options{Timeout: max(app.Timeout, time.Millisecond)})
	if err != nil {
		return err
	}
	s.noteWritten(true)
	app.reportChange("compacted from %s to %s", sizeText(done.Before), sizeText(done.After))
	return nil
}

// compactFile compacts a file. It returns early if ctx is done: the program is about to exit, and the old file remains.
func compactFile(ctx context.Context, file string, o *bolt.Options) (bolt.Compacted, error) {
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

// sizeText returns a number of bytes in KiB, MiB or GiB.
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
