package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/zeroae/zae-limiter-go/engine"
)

// Globals are the flags of every command.
type Globals struct {
	Store string `group:"global" placeholder:"URL" from:"ZAE_LIMITER_STORE" help:"Store to use: bolt:///path/to/file, bolt:file, dynamodb://NAME or memory:. Default: a file in your data directory."`
	Deployment
	Namespace string        `group:"global" short:"N" default:"default" placeholder:"NAME" from:"ZAE_LIMITER_NAMESPACE" help:"Namespace to work in. Default: default."`
	Timeout   time.Duration `group:"global" default:"5s" placeholder:"DURATION" help:"Longest wait for the store, for example while another process uses the file. Default: ${default}."`
}

// Output is the flag of commands that print a result.
type Output struct {
	Output Format `short:"o" default:"table" enum:"table,json,yaml" placeholder:"FORMAT" help:"table, json or yaml. Default: ${default}."`
}

// Limits is the required flag --limit.
type Limits struct {
	Limit []limitFlag `short:"l" required:"" placeholder:"LIMIT" help:"name:rate[/period][:burst], for example rpm:100 or tpm:10000/min:15000; period: s, min, hour, day, or a number of them. Repeatable."`
}

// OptionalLimits is the optional flag --limit.
type OptionalLimits struct {
	Limit []limitFlag `short:"l" placeholder:"LIMIT" help:"Limit to use if none is configured: name:rate[/period][:burst], for example rpm:100 or tpm:10000/min:15000. Repeatable."`
}

// Confirm is the flag of commands that ask for confirmation.
type Confirm struct {
	Yes bool `short:"y" help:"Do not ask for confirmation."`
}

// Paging holds the flags of commands that print lists.
type Paging struct {
	Limit int    `placeholder:"N" help:"Maximum number of entries; the output says how to get the next ones. Default: all."`
	After string `placeholder:"POSITION" help:"Start after this position: the value 'next' of the previous list."`
}

// limitFlag is a limit in the syntax of the command line.
type limitFlag struct{ engine.Limit }

// UnmarshalText parses the syntax of [engine.ParseLimit].
func (f *limitFlag) UnmarshalText(text []byte) (err error) {
	if f.Limit, err = engine.ParseLimit(string(text)); err != nil {
		limit := fmt.Sprintf("limit %q: ", text)
		parts := strings.NewReplacer("limit.Name", limit+"name", "limit.Capacity", limit+"rate or burst", "limit.RefillPeriod", limit+"period")
		return usageErrorf("%s", parts.Replace(withoutPrefix(err.Error())))
	}
	return nil
}

func limitsOf(flags []limitFlag) []engine.Limit {
	return mapSlice(flags, func(f limitFlag) engine.Limit { return f.Limit })
}

// amountFlag is a number of tokens of one limit, written NAME=N.
type amountFlag struct {
	name string
	n    int64
}

// UnmarshalText parses NAME=N.
func (f *amountFlag) UnmarshalText(text []byte) error {
	name, number, found := strings.Cut(string(text), "=")
	n, err := strconv.ParseInt(number, 10, 64)
	if !found || name == "" || err != nil {
		return usageErrorf("invalid amount %q: write the name of a limit and a whole number, for example rpm=1", text)
	}
	*f = amountFlag{name, n}
	return nil
}

func tokensOf(flags []amountFlag) (engine.Tokens, error) {
	tokens := engine.Tokens{}
	for _, f := range flags {
		if _, twice := tokens[f.name]; twice {
			return nil, usageErrorf("--consume names %s twice: pass the sum once", f.name)
		}
		tokens[f.name] = f.n
	}
	return tokens, nil
}

// maxPageSize is the largest page that the engine returns.
const maxPageSize = 1000

// fetchPages fetches a list page by page, up to the flags' limit. next is the position after the last item, "" at the end.
func fetchPages[T any](p Paging, fetch func(engine.Page) (engine.List[T], error)) (items []T, next string, err error) {
	if p.Limit < 0 {
		return nil, "", usageErrorf("--limit %d must be at least 1, or 0 for all", p.Limit)
	}
	page := engine.Page{After: p.After}
	for {
		page.Size = maxPageSize
		if p.Limit > 0 {
			page.Size = min(maxPageSize, p.Limit-len(items))
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
