package main

import (
	"cmp"
	"context"
	"net/url"
	"strings"
	"time"

	"github.com/zeroae/zae-limiter-go/internal/awsconfig"
	"github.com/zeroae/zae-limiter-go/stack"
)

// target names the deployment that an infrastructure command works on.
type target struct{ name, region, endpoint string }

// selectedTarget returns the deployment that the flags and the environment select. A store of another kind in the environment
// is ignored, since it is meant for other commands; as a flag, it is an error.
func (a *App) selectedTarget() (target, error) {
	selected, err := a.storeURL(a.Getenv)
	if err != nil {
		return target{}, err
	}
	if strings.HasPrefix(selected, "dynamodb:") {
		return parseTarget(selected)
	}
	if selected != "" && a.Store != a.Getenv("ZAE_LIMITER_STORE") {
		return target{}, usageErrorf("--store %s is not a deployment: pass --name NAME instead", a.Store)
	}
	return target{name: defaultName}, nil
}

// parseTarget parses a dynamodb URL.
func parseTarget(name string) (target, error) {
	const form = "write dynamodb://NAME?region=REGION&endpoint=URL; region and endpoint are optional"
	u, err := url.Parse(name)
	if err != nil || u.Host == "" || strings.Trim(u.Path, "/") != "" || u.Fragment != "" {
		return target{}, usageErrorf("invalid store %q: %s", name, form)
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return target{}, usageErrorf("invalid store %q: %s", name, form)
	}
	for key, values := range query {
		if key != "region" && key != "endpoint" || len(values) != 1 {
			return target{}, usageErrorf("invalid store %q: parameter %s is unknown or repeated: %s", name, key, form)
		}
	}
	return target{u.Host, query.Get("region"), query.Get("endpoint")}, nil
}

// url returns the URL of the deployed store.
func (t target) url() string { return (&Deployment{t.name, t.region, t.endpoint}).url() }

// flags returns the flags that select the deployment, for command lines in messages.
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

// String returns the name, and the region if it is known.
func (t target) String() string {
	if t.region == "" {
		return t.name
	}
	return t.name + " in " + t.region
}

// options returns the options for package stack.
func (t target) options(a *App) *stack.Options {
	return &stack.Options{Region: t.region, Endpoint: t.endpoint, Now: a.Now, Sleep: a.Sleep}
}

// deploymentInfo describes the deployment, or only the table if there is no stack or the endpoint is an emulator's.
func (a *App) deploymentInfo(ctx context.Context, at target) (stack.Info, error) {
	if a.isEmulator(at) {
		return stack.GetTable(ctx, at.name, at.options(a))
	}
	return stack.Get(ctx, at.name, at.options(a))
}

// deployedStack describes the stack of the selected store, or its table if there is no stack. It returns nil if the store is
// not a deployment, or if the stack cannot be read: the store may work all the same. With verbose, it logs why.
func (a *App) deployedStack(ctx context.Context, verbose bool) (*stackDoc, error) {
	selected, err := a.storeURL(a.Getenv)
	if err != nil || !strings.HasPrefix(selected, "dynamodb:") {
		return nil, err
	}
	at, err := parseTarget(selected)
	if err != nil || a.isEmulator(at) {
		return nil, err
	}
	limited, cancel := context.WithTimeout(ctx, max(a.Timeout, time.Millisecond))
	defer cancel()
	info, err := stack.Get(limited, at.name, at.options(a))
	if err != nil && info.Name == "" {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if verbose {
			a.logf("no stack is shown: %s", describe(ctx, fromStack(err)))
		}
		return nil, nil
	}
	if info.ID == "" && verbose {
		a.logf("no stack is shown: %s", commandLineText(info.Reason))
		a.warnMissing(info.Missing)
	}
	d := stackDocOf(&info)
	return &d, nil
}

// dynamoEndpoint returns the endpoint of DynamoDB that the flags and the environment select; empty for the region's own.
func (a *App) dynamoEndpoint(at target) string {
	return cmp.Or(at.endpoint, a.Getenv("AWS_ENDPOINT_URL_DYNAMODB"), a.Getenv("AWS_ENDPOINT_URL"))
}

// explainNoUsage logs why a deployed store may have no usage.
func (a *App) explainNoUsage() {
	at, err := parseTarget(a.store.url)
	if err != nil { // a file or memory
		return
	}
	endpoint := a.dynamoEndpoint(at)
	u, err := url.Parse(endpoint)
	if endpoint != "" && err == nil && !strings.Contains(u.Hostname()+".", ".amazonaws.com.") && !strings.HasSuffix(u.Hostname(), ".api.aws") {
		a.logf("%s has no usage: DynamoDB Local has no aggregator; to record usage on this machine, use a file: --store bolt:FILE", endpoint)
		return
	}
	a.logf("no usage found: the aggregator records usage after some seconds; to see whether it is deployed: zae-limiter status %s", at.flags())
}

// isLocal reports whether the table is in an emulator on this machine, which accepts any credentials.
func (a *App) isLocal(at target) bool { return awsconfig.Local(a.dynamoEndpoint(at)) }

// isEmulator reports whether DynamoDB is an emulator on this machine without CloudFormation, as "local up" starts it.
func (a *App) isEmulator(at target) bool {
	all := cmp.Or(at.endpoint, a.Getenv("AWS_ENDPOINT_URL"), a.Getenv("AWS_ENDPOINT_URL_CLOUDFORMATION"))
	return all == "" && a.isLocal(at)
}
