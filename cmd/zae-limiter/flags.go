package main

import (
	"strconv"
	"strings"
	"time"

	"github.com/zeroae/zae-limiter-go/engine"
)

// Globals are the flags of every command.
type Globals struct {
	Store string `group:"global" placeholder:"URL" from:"ZAE_LIMITER_STORE" help:"Where limits are kept: bolt:///path/to/file, bolt:file, dynamodb://NAME or memory:. Default: a file in your data directory."`
	Deployment
	Namespace string        `group:"global" short:"N" default:"default" placeholder:"NAME" from:"ZAE_LIMITER_NAMESPACE" help:"Part of the store to work in. Default: default."`
	Timeout   time.Duration `group:"global" default:"5s" placeholder:"DURATION" help:"How long to wait for the store while another process has it. Default: ${default}."`
}

// Output is the flag of commands that print a result.
type Output struct {
	Output Format `short:"o" default:"table" enum:"table,json,yaml" placeholder:"FORMAT" help:"table, json or yaml. Default: ${default}."`
}

// Limits are limits that must be given.
type Limits struct {
	Limit []limitFlag `short:"l" required:"" placeholder:"LIMIT" help:"name:rate[/period][:burst], for example rpm:100 or tpm:10000/min:15000; period: s, min, hour, day, or a number of them. Repeatable."`
}

// OptionalLimits are limits that may be given.
type OptionalLimits struct {
	Limit []limitFlag `short:"l" placeholder:"LIMIT" help:"Limit to use where none is stored: name:rate[/period][:burst], for example rpm:100 or tpm:10000/min:15000. Repeatable."`
}

// Confirm is the flag of commands that destroy something.
type Confirm struct {
	Yes bool `short:"y" help:"Do not ask for confirmation."`
}

// Paging are the flags of lists.
type Paging struct {
	Limit int    `placeholder:"N" help:"At most this many; the output tells how to get those behind. Default: all."`
	After string `placeholder:"POSITION" help:"Go on behind this position: 'next' of the list before."`
}

// limitFlag is a limit on the command line.
type limitFlag struct{ engine.Limit }

// UnmarshalText reads the syntax of engine.ParseLimit.
func (f *limitFlag) UnmarshalText(text []byte) (err error) {
	if f.Limit, err = engine.ParseLimit(string(text)); err != nil {
		return usage("%s", unprefixed(err.Error()))
	}
	return nil
}

func limitsOf(flags []limitFlag) []engine.Limit {
	limits := make([]engine.Limit, len(flags))
	for i, f := range flags {
		limits[i] = f.Limit
	}
	return limits
}

// amountFlag is an amount of tokens on the command line.
type amountFlag struct {
	name string
	n    int64
}

// UnmarshalText reads NAME=N.
func (f *amountFlag) UnmarshalText(text []byte) error {
	name, number, found := strings.Cut(string(text), "=")
	n, err := strconv.ParseInt(number, 10, 64)
	if !found || name == "" || err != nil {
		return usage("%q is no amount; write the name of a limit and a whole number, for example rpm=1", text)
	}
	*f = amountFlag{name, n}
	return nil
}

func tokensOf(flags []amountFlag) (engine.Tokens, error) {
	tokens := engine.Tokens{}
	for _, f := range flags {
		if _, twice := tokens[f.name]; twice {
			return nil, usage("--consume names %s twice; add the amounts up", f.name)
		}
		tokens[f.name] = f.n
	}
	return tokens, nil
}

// mostPage is the largest page that the engine gives.
const mostPage = 1000

// collect fetches a list page by page, up to what the flags allow. next is the position behind it, "" at its end.
func collect[T any](p Paging, fetch func(engine.Page) (engine.List[T], error)) (items []T, next string, err error) {
	if p.Limit < 0 {
		return nil, "", usage("--limit %d: must be 1 or more, or 0 for all", p.Limit)
	}
	page := engine.Page{After: p.After}
	for {
		page.Size = mostPage
		if p.Limit > 0 {
			page.Size = min(mostPage, p.Limit-len(items))
		}
		list, err := fetch(page)
		if err != nil {
			return nil, "", err
		}
		items, page.After = append(items, list.Items...), list.Next
		if page.After == "" || len(items) == p.Limit {
			return items, page.After, nil
		}
	}
}
