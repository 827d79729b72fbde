package main

import (
	"context"
	"net/url"
	"time"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/backend/dynamo"
)

// defaultName is the deployment that flags select which name none.
const defaultName = "limiter"

// Deployment are the flags that select a deployed store.
type Deployment struct {
	Name        string `group:"global" short:"n" placeholder:"NAME" from:"ZAE_LIMITER_NAME" help:"Deployed store to use: the name it was deployed with. Default, with one of the next two: limiter."`
	Region      string `group:"global" placeholder:"REGION" help:"AWS region of the deployed store. Default: as the AWS CLI has it."`
	EndpointURL string `group:"global" name:"endpoint-url" placeholder:"URL" help:"Where DynamoDB is, for DynamoDB Local: http://localhost:8000."`
}

// chosen is the URL of the store that the flags and the environment select. A flag beats the environment.
func (g *Globals) chosen(getenv func(string) string) (string, error) {
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
		return "", usage("--store and --name (--region, --endpoint-url) name two stores; leave one out")
	}
	return "", usage("ZAE_LIMITER_STORE and ZAE_LIMITER_NAME name two stores; unset one, or pass --store or --name")
}

func (d *Deployment) url() string {
	name := d.Name
	if name == "" {
		name = defaultName
	}
	query := url.Values{}
	for key, value := range map[string]string{"region": d.Region, "endpoint": d.EndpointURL} {
		if value != "" {
			query.Set(key, value)
		}
	}
	u := url.URL{Scheme: "dynamodb", Host: name, RawQuery: query.Encode()}
	return u.String()
}

// deployedStore is a store in the table that a dynamodb URL names. It stays open from call to call.
func deployedStore(u *url.URL, timeout time.Duration) (*store, error) {
	at, err := targetOf(u.String())
	if err != nil {
		return nil, err
	}
	o := &dynamo.Options{Region: at.region, Endpoint: at.endpoint}
	s := &store{url: u.String(), stays: true, missing: func() bool { return false }}
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
