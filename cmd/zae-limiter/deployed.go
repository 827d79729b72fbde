package main

import (
	"cmp"
	"context"
	"net/url"
	"time"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/backend/dynamo"
)

// defaultName is the deployment used if a flag selects DynamoDB without a name.
const defaultName = "limiter"

// Deployment holds the flags that select a deployed store.
type Deployment struct {
	Name        string `group:"global" short:"n" placeholder:"NAME" from:"ZAE_LIMITER_NAME" help:"Name of the deployed store to use. Default with --region or --endpoint-url: limiter."`
	Region      string `group:"global" placeholder:"REGION" help:"AWS region of the deployed store. Default: that of the AWS CLI."`
	EndpointURL string `group:"global" name:"endpoint-url" placeholder:"URL" help:"Endpoint of DynamoDB, for example http://localhost:8000 for DynamoDB Local."`
}

// storeURL returns the URL of the store that the flags and the environment select. Flags take precedence.
func (g *Globals) storeURL(getenv func(string) string) (string, error) {
	d := g.Deployment
	named := d.Name != "" || d.Region != "" || d.EndpointURL != ""
	if !named || g.Store == "" {
		if named {
			return d.url(), nil
		}
		return g.Store, nil
	}
	storeFlag := g.Store != getenv("ZAE_LIMITER_STORE")
	nameFlag := d.Name != getenv("ZAE_LIMITER_NAME") || d.Region != "" || d.EndpointURL != ""
	switch {
	case storeFlag && !nameFlag:
		return g.Store, nil
	case nameFlag && !storeFlag:
		return d.url(), nil
	case storeFlag:
		return "", usageErrorf("--store and --name (--region, --endpoint-url) select different stores: leave out one of them")
	}
	return "", usageErrorf("ZAE_LIMITER_STORE and ZAE_LIMITER_NAME select different stores: unset one of them, or pass --store or --name")
}

func (d *Deployment) url() string {
	query := url.Values{}
	for key, value := range map[string]string{"region": d.Region, "endpoint": d.EndpointURL} {
		if value != "" {
			query.Set(key, value)
		}
	}
	u := url.URL{Scheme: "dynamodb", Host: cmp.Or(d.Name, defaultName), RawQuery: query.Encode()}
	return u.String()
}

// deployedStore returns a store in the table that a dynamodb URL names. It stays open between calls.
func deployedStore(u *url.URL, timeout time.Duration) (*store, error) {
	at, err := parseTarget(u.String())
	if err != nil {
		return nil, err
	}
	o := &dynamo.Options{Region: at.region, Endpoint: at.endpoint}
	s := &store{url: u.String(), keepOpen: true, isMissing: func() bool { return false }}
	s.open = func() (backend.Backend, error) {
		base := context.Background()
		if s.signIn != nil {
			var err error
			if base, err = s.signIn(at); err != nil {
				return nil, err
			}
		}
		ctx, cancel := context.WithTimeout(base, max(timeout, time.Millisecond))
		defer cancel()
		return dynamo.Open(ctx, at.name, o)
	}
	return s, nil
}
