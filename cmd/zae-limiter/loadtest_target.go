package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
	"github.com/oklog/ulid/v2"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/cmd/zae-limiter/internal/load"
	"github.com/zeroae/zae-limiter-go/engine"
)

// loadTarget is the store under load and what the load consists of.
type loadTarget struct {
	url     string
	store   backend.Backend
	durable bool // writes outlive the command
	prefix  string
	paths   [][]string       // each an entity followed by its parents
	levels  [][]engine.Limit // limits of the entities, of their parents, and so on
	consume engine.Tokens
	stored  []string // entities that were created
}

// childrenPerParent is the number of children of each parent.
const childrenPerParent = 10

// openTarget opens the store for the whole test, so the measurement does not include opening it.
func (c *loadtestCmd) openTarget(k *kong.Context, app *App) (*loadTarget, error) {
	if app.store == nil {
		url, err := app.loadURL(k)
		if err != nil {
			return nil, err
		}
		if app.store, err = app.open(url); err != nil {
			return nil, err
		}
	}
	if c.Processes > 1 && !strings.HasPrefix(app.store.url, "dynamodb:") {
		return nil, usageErrorf("--processes %d needs a table in DynamoDB: several processes cannot share %s: pass --limiters %d instead, or a table with --name",
			c.Processes, app.store.url, c.Processes)
	}
	d, err := app.store.openOnce()
	if err != nil {
		return nil, err
	}
	name, _, _ := strings.Cut(app.store.url, " ")
	target := &loadTarget{url: name, store: d, durable: !d.Capabilities().NoIO, prefix: "loadtest-" + ulid.Make().String()}
	target.makePaths(c.Entities, c.Depth)
	return target, nil
}

// loadURL returns the store on the command line, or else the file in the environment, or else memory.
func (a *App) loadURL(k *kong.Context) (string, error) {
	url, err := a.storeURL(a.Getenv)
	named := slices.ContainsFunc(k.Path, func(p *kong.Path) bool {
		return p.Flag != nil && !p.Resolved && slices.Contains([]string{"store", "name", "region", "endpoint-url"}, p.Flag.Name)
	})
	switch {
	case err != nil || named:
		return url, err
	case url == "":
		return "memory:", nil
	case strings.HasPrefix(url, "dynamodb:"):
		return "", usageErrorf("load on %s, which the environment selects, costs money: name it on the command line with --name or --store", url)
	}
	return url, nil
}

func (s *loadTarget) makePaths(entities, depth int) {
	for i := range entities {
		path := []string{fmt.Sprintf("%s/%d", s.prefix, i+1)}
		for level, of := 1, i/childrenPerParent; level < depth; level, of = level+1, of/childrenPerParent {
			path = append(path, fmt.Sprintf("%s/parent-%d-%d", s.prefix, level, of+1))
		}
		s.paths = append(s.paths, path)
	}
}

// defaultLimits returns limits for ten acquires per second, for a store in memory, which has none.
func (c *loadtestCmd) defaultLimits() (limits []limitFlag) {
	for _, amount := range c.Consume {
		limits = append(limits, limitFlag{engine.PerSecond(amount.name, 10*min(max(amount.n, 1), 1e14))})
	}
	if len(limits) == 0 {
		limits = []limitFlag{{engine.PerSecond("rps", 10)}}
	}
	return limits
}

// resolveLimits determines the limits that apply and the tokens to consume.
func (c *loadtestCmd) resolveLimits(ctx context.Context, app *App, target *loadTarget, l *engine.Limiter) error {
	limits := limitsOf(c.Limit)
	if len(limits) == 0 {
		x, err := l.Explain(ctx, target.paths[0][0], c.Resource)
		if err != nil {
			return err
		}
		limits = x.Path[0].Limits
		switch {
		case len(limits) == 0 && target.durable:
			return fmt.Errorf("%w for %s in %s", engine.ErrNoLimits, c.Resource, target.url)
		case len(limits) == 0:
			c.Limit = c.defaultLimits()
			limits = limitsOf(c.Limit)
			app.logf("no limits given: each entity has %v; pass others with -l", limits)
		}
	}
	for level, times := 0, int64(1); level < c.Depth; level, times = level+1, times*childrenPerParent {
		target.levels = append(target.levels, slices.Clone(limits))
		for i := range target.levels[level] {
			if of := &target.levels[level][i]; len(c.Limit) > 0 { // configured limits apply to parents unchanged
				of.Capacity, of.RefillAmount = of.Capacity*times, of.RefillAmount*times
				if of.Check() != nil {
					return usageErrorf("--depth %d is too large: the parents' limits, ten times those of a child, would exceed 10^15 tokens", c.Depth)
				}
			}
		}
	}
	var err error
	if target.consume, err = tokensOf(c.Consume); err != nil {
		return err
	}
	if len(c.Consume) == 0 {
		for _, limit := range limits {
			target.consume[limit.Name] = 1
		}
	}
	// Fails early for requests that can never be admitted.
	_, err = l.TimeUntilAvailable(ctx, engine.Request{Entity: target.paths[0][0], Resource: c.Resource, Consume: target.consume, Override: limitsOf(c.Limit)})
	if errors.Is(err, engine.ErrNeverFits) {
		return usageErrorf("--consume exceeds the capacity of a limit: consume less, or raise the limit's burst")
	}
	return err
}

// populate creates the entities if they have parents, parents first.
func (c *loadtestCmd) populate(ctx context.Context, target *loadTarget, l *engine.Limiter) error {
	created := map[string]bool{}
	for level := c.Depth - 1; level >= 0 && c.Depth > 1; level-- {
		for _, path := range target.paths {
			e := engine.Entity{ID: path[level]}
			if created[e.ID] {
				continue
			}
			if level+1 < len(path) {
				e.Parent, e.Cascade = path[level+1], true
			}
			created[e.ID] = true
			target.stored = append(target.stored, e.ID)
			if err := l.CreateEntity(ctx, e, nil); err != nil {
				return err
			}
			if level > 0 && len(c.Limit) > 0 {
				if err := l.SetLimits(ctx, e.ID, c.Resource, target.levels[level]); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// clean deletes the entities, children first, or the buckets if no entities were created.
func (c *loadtestCmd) clean(ctx context.Context, app *App, target *loadTarget, l *engine.Limiter, r *load.Report) error {
	if !target.durable {
		return nil
	}
	for _, entity := range slices.Backward(target.stored) {
		if err := l.DeleteEntity(ctx, entity, nil); err != nil {
			return err
		}
	}
	if r == nil || len(target.stored) > 0 { // deleting an entity deletes its buckets
		return nil
	}
	return load.Clean(ctx, target.store, app.Namespace, c.Resource, r.Touched)
}
