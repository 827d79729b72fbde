package main

import (
	"context"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/zeroae/zae-limiter-go/stack"
)

// target is a deployment: where the infrastructure commands work.
type target struct{ name, region, endpoint string }

// target is the deployment that flags and environment select. A store that is no deployment selects none: it is for the
// commands that need a store.
func (a *App) target() (target, error) {
	chosen, err := a.chosen(a.Getenv)
	if err != nil {
		return target{}, err
	}
	if strings.HasPrefix(chosen, "dynamodb:") {
		return targetOf(chosen)
	}
	if chosen != "" && a.Store != a.Getenv("ZAE_LIMITER_STORE") {
		return target{}, usage("--store %s is no deployment; leave it out, or name one: --name NAME", a.Store)
	}
	return target{name: defaultName}, nil
}

// targetOf reads a dynamodb URL.
func targetOf(name string) (target, error) {
	const form = "write dynamodb://NAME?region=REGION&endpoint=URL, of which the latter two may be left out"
	u, err := url.Parse(name)
	if err != nil || u.Host == "" || strings.Trim(u.Path, "/") != "" || u.Fragment != "" {
		return target{}, usage("%q names no deployed store; %s", name, form)
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return target{}, usage("%q names no deployed store; %s", name, form)
	}
	for key, values := range query {
		if key != "region" && key != "endpoint" || len(values) != 1 {
			return target{}, usage("%q: %s is not known, or comes twice; %s", name, key, form)
		}
	}
	return target{u.Host, query.Get("region"), query.Get("endpoint")}, nil
}

// url is the store that is deployed there.
func (t target) url() string { return (&Deployment{t.name, t.region, t.endpoint}).url() }

// flags are those that select it, for a command line that somebody may copy.
func (t target) flags() string {
	flags := "--name " + t.name
	if t.region != "" {
		flags += " --region " + t.region
	}
	if t.endpoint != "" {
		flags += " --endpoint-url " + t.endpoint
	}
	return flags
}

// String is for sentences.
func (t target) String() string {
	if t.region == "" {
		return t.name
	}
	return t.name + " in " + t.region
}

// options are what stack needs to work there, by the app's clock.
func (t target) options(a *App) *stack.Options {
	return &stack.Options{Region: t.region, Endpoint: t.endpoint, Now: a.Now, Sleep: a.Sleep}
}

// inspect describes the deployment, or the table alone if there is no stack; of an emulator on this machine only that.
func (a *App) inspect(ctx context.Context, at target) (stack.Info, error) {
	if a.emulated(at) {
		return stack.GetTable(ctx, at.name, at.options(a))
	}
	return stack.Get(ctx, at.name, at.options(a))
}

// deployedStack is the stack of the selected store, or its table if there is no stack; nil if it is no deployment. If it
// cannot be looked at there is nil as well, since the store may do all the same; aloud, it says so.
func (a *App) deployedStack(ctx context.Context, aloud bool) (*stackDoc, error) {
	chosen, err := a.chosen(a.Getenv)
	if err != nil || !strings.HasPrefix(chosen, "dynamodb:") {
		return nil, err
	}
	at, err := targetOf(chosen)
	if err != nil || a.emulated(at) {
		return nil, err
	}
	limited, cancel := context.WithTimeout(ctx, max(a.Timeout, time.Millisecond))
	defer cancel()
	info, err := stack.Get(limited, at.name, at.options(a))
	if err != nil && info.Name == "" {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if aloud {
			a.say("no stack is shown: %s", describe(ctx, inStack(err)))
		}
		return nil, nil
	}
	if info.ID == "" && aloud {
		a.say("no stack is shown: %s", inWords(info.Reason))
		a.sayMissing(info.Missing)
	}
	d := stackDocOf(&info)
	return &d, nil
}

// sayUnbooked tells why a deployed store may have no usage to show.
func (a *App) sayUnbooked() {
	at, err := targetOf(a.store.url)
	if err != nil { // it books by itself
		return
	}
	for _, endpoint := range []string{at.endpoint, a.Getenv("AWS_ENDPOINT_URL_DYNAMODB"), a.Getenv("AWS_ENDPOINT_URL")} {
		if endpoint == "" {
			continue
		}
		if u, err := url.Parse(endpoint); err == nil && !strings.Contains(u.Hostname()+".", ".amazonaws.com.") && !strings.HasSuffix(u.Hostname(), ".api.aws") {
			a.say("no usage is booked at %s: no aggregator runs beside DynamoDB Local; an embedded store books usage by itself: --store bolt:FILE", endpoint)
			return
		}
		break
	}
	a.say("no such usage is booked: the aggregator takes some seconds, and a deployment may have none, which zae-limiter status %s shows", at.flags())
}

// emulated tells whether DynamoDB is an emulator on this machine beside which there is no CloudFormation, as
// "local up" has it.
func (a *App) emulated(at target) bool {
	if at.endpoint != "" || a.Getenv("AWS_ENDPOINT_URL") != "" || a.Getenv("AWS_ENDPOINT_URL_CLOUDFORMATION") != "" {
		return false
	}
	u, err := url.Parse(a.Getenv("AWS_ENDPOINT_URL_DYNAMODB"))
	if err != nil {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}
