package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// Control sequences that all current terminals support.
const (
	screenOn   = "\x1b[?1049h\x1b[?25l" // the alternate screen, without a cursor
	screenOff  = "\x1b[?25h\x1b[?1049l"
	frameStart = "\x1b[H"
	lineEnd    = "\x1b[K\r\n"
	frameEnd   = "\x1b[J"
	toLine     = "\x1b[%d;1H"
	bold       = "\x1b[1m"
	plain      = "\x1b[0m"
)

// topScreen is the live view.
type topScreen struct {
	app  *App
	cmd  topCmd
	s    *sampler
	last time.Time // time of the last successful reading
	err  error     // of the last reading
}

// show draws until the user quits. It returns nil for q, and an error for Ctrl-C and when ctx is done. It restores the
// terminal.
func (t *topScreen) show(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var keys chan byte
	if t.app.Terminal(t.app.In) {
		restore, err := t.app.Raw(t.app.In)
		if err != nil {
			return err
		}
		defer restore()
		keys = make(chan byte)
		go readKeys(ctx, t.app.In, keys)
	}
	if _, err := io.WriteString(t.app.Out, screenOn); err != nil {
		return err
	}
	defer io.WriteString(t.app.Out, screenOff) //nolint:errcheck // it only fails if the terminal is gone
	return t.loop(ctx, keys)
}

// readKeys sends keys until the input ends.
func readKeys(ctx context.Context, in io.Reader, keys chan<- byte) {
	var key [1]byte
	for {
		if n, err := in.Read(key[:]); err != nil || n == 0 {
			return
		}
		select {
		case keys <- key[0]:
		case <-ctx.Done():
			return
		}
	}
}

// resizeEvery is the interval at which the size of the screen is checked.
const resizeEvery = 250 * time.Millisecond

// loop draws after each reading, each key and each change of the screen's size. Readings run in another goroutine, one at a
// time.
func (t *topScreen) loop(ctx context.Context, keys <-chan byte) error {
	read := make(chan error, 1)
	resize := time.NewTicker(resizeEvery)
	defer resize.Stop()
	due := time.NewTimer(t.cmd.Interval)
	defer due.Stop()
	width, height := t.app.Size(t.app.Out)
	buckets := t.document(height)
	for {
		if _, err := io.WriteString(t.app.Out, t.frame(buckets, width, height)); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case key := <-keys:
			switch key {
			case 'q', 'Q':
				return nil
			case 3, 4: // Ctrl-C and Ctrl-D in raw mode
				return errInterrupted
			case 's', 'S':
				t.cmd.Sort = t.cmd.Sort.next()
			}
		case <-due.C:
			go func() { read <- t.s.sample(ctx) }()
			continue
		case t.err = <-read:
			if t.err == nil {
				t.last = t.app.Now()
			} else {
				t.app.store.clearFailure()
			}
			due.Reset(t.cmd.Interval)
		case <-resize.C:
			w, h := t.app.Size(t.app.Out)
			if w == width && h == height {
				continue
			}
			width, height = w, h
		}
		buckets = t.document(height)
	}
}

// document returns as many buckets as may fit on the screen.
func (t *topScreen) document(height int) topDoc {
	limit := max(height, 1)
	if t.cmd.Limit > 0 {
		limit = min(limit, t.cmd.Limit)
	}
	return t.cmd.document(t.app, t.s, limit)
}

// frame returns the text of a whole screen.
func (t *topScreen) frame(d topDoc, width, height int) string {
	rows, head := topRows(d.Buckets), t.head(&d, width)
	fit := max(height-len(head)-2, 0) // minus the names of the columns and the last line
	rows = rows[:min(fit, len(rows))]
	var s strings.Builder
	put := func(style, line string) {
		if line = clip(line, width); t.app.styled() && style != "" {
			line = style + line + plain
		}
		s.WriteString(line + lineEnd)
	}
	s.WriteString(frameStart)
	for i, line := range head {
		style := ""
		if i == 0 {
			style = bold
		}
		put(style, line)
	}
	g := newTopLayout(width, rows)
	g.wrapNames(rows)
	put(bold, g.line(topHead))
	for _, r := range rows {
		put(colourOf(r.share), g.line(r.cells))
	}
	foot := clip("q quit  s sort  Denials are not counted: an empty limit denies until ADMITS IN", width)
	return s.String() + frameEnd + fmt.Sprintf(toLine, height) + foot
}

// colourOf returns red for an empty limit and yellow for a nearly empty one.
func colourOf(share float64) string {
	switch {
	case share <= 0:
		return "\x1b[31m"
	case share < 0.2:
		return "\x1b[33m"
	}
	return ""
}

// head returns the lines above the table.
func (t *topScreen) head(d *topDoc, width int) []string {
	lines := []string{
		fmt.Sprintf("zae-limiter top  %s  namespace %s of %s", t.last.UTC().Format("15:04:05Z"), d.Namespace, d.Store),
		fmt.Sprintf("%d buckets, %d empty  %s acquires/s  %s writes/s  by %s",
			d.Matching, d.sum.empty, shortNumber(rounded(d.sum.acquires)), shortNumber(rounded(d.sum.writes)), t.cmd.Sort),
	}
	if !d.Complete {
		lines = append(lines, fmt.Sprintf("%d per reading: the busiest, and the next ones of all", d.Read))
	}
	if t.err != nil && !errors.Is(t.err, context.Canceled) {
		age := t.app.Now().Sub(t.last).Round(time.Second)
		failure := fmt.Sprintf("last reading %v ago: %s", age, describe(context.Background(), t.err))
		for part := range slices.Chunk([]rune(failure), max(width, 1)) {
			lines = append(lines, string(part))
		}
	}
	return lines
}
