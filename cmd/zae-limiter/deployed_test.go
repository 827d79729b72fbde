package main

import (
	"bytes"
	"context"
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/zeroae/zae-limiter-go/backend/dynamo"
	"github.com/zeroae/zae-limiter-go/backend/dynamo/dynamotest"
)

// TestSelectedStore checks which store flags and environment select.
func TestSelectedStore(t *testing.T) {
	for _, c := range []struct {
		g          Globals
		store, env string // ZAE_LIMITER_STORE, ZAE_LIMITER_NAME
		want       string // "" if they contradict each other
	}{
		{Globals{Store: "bolt:x"}, "", "", "bolt:x"},
		{Globals{Deployment: Deployment{Name: "app"}}, "", "", "dynamodb://app"},
		{Globals{Deployment: Deployment{Region: "eu-west-1"}}, "", "", "dynamodb://limiter?region=eu-west-1"},
		{Globals{Deployment: Deployment{EndpointURL: "http://localhost:8000"}}, "", "", "dynamodb://limiter?endpoint=http%3A%2F%2Flocalhost%3A8000"},
		{Globals{Store: "bolt:x", Deployment: Deployment{Name: "app"}}, "", "app", "bolt:x"},
		{Globals{Store: "bolt:x", Deployment: Deployment{Name: "app"}}, "bolt:x", "", "dynamodb://app"},
		{Globals{Store: "bolt:x", Deployment: Deployment{Name: "app", Region: "eu-west-1"}}, "bolt:x", "app", "dynamodb://app?region=eu-west-1"},
		{Globals{Store: "bolt:x", Deployment: Deployment{Name: "app"}}, "", "", ""},
		{Globals{Store: "bolt:x", Deployment: Deployment{Name: "app"}}, "bolt:x", "app", ""},
	} {
		getenv := func(name string) string {
			return map[string]string{"ZAE_LIMITER_STORE": c.store, "ZAE_LIMITER_NAME": c.env}[name]
		}
		got, err := c.g.storeURL(getenv)
		var asked *usageError
		if got != c.want || (c.want == "") != errors.As(err, &asked) {
			t.Errorf("%+v with %q and %q selects %q, %v; not %q", c.g, c.store, c.env, got, err, c.want)
		}
	}
}

// TestDeployed runs commands of all groups on a table, and on one that does not exist.
func TestDeployed(t *testing.T) {
	t.Parallel()
	name, o := dynamotest.Table(t)
	flags := []string{"--name", name, "--region", o.Region, "--endpoint-url", o.Endpoint}
	store := []string{"--store", "dynamodb://" + name + "?endpoint=" + url.QueryEscape(o.Endpoint)}
	call := func(select_ []string, line string) (code int, stdout, stderr string) {
		var out, err bytes.Buffer
		w := realHost()
		w.In, w.Out, w.Err = strings.NewReader(""), &out, &err
		w.Terminal = func(any) bool { return false }
		w.Getenv = func(string) string { return "" }
		code = run(context.Background(), append(append([]string{}, select_...), strings.Fields(line)...), w)
		return code, out.String(), err.String()
	}
	for i, c := range []struct {
		line string
		code int
		says string // on one of the two
	}{
		{"status", exitDone, "dynamodb://" + name},
		{"system get-defaults", exitNotFound, ""},
		{"system set-defaults -l rpm:100 -l tpm:10000", exitDone, "dynamodb://" + name},
		{"resource set-defaults gpt-4 -l rpm:2/day -l tpm:100000", exitDone, ""},
		{"resource list", exitDone, "gpt-4"},
		{"entity create org", exitDone, ""},
		{"entity create user-1 --parent org --cascade", exitDone, ""},
		{"entity set-limits user-1 --resource gpt-4 -l rpm:1/day", exitDone, ""},
		{"explain user-1 gpt-4", exitDone, "org"},
		{"acquire user-1 gpt-4 -c rpm=1", exitDone, ""},
		{"acquire user-1 gpt-4 -c rpm=1", exitDenied, "rpm"},
		{"available user-1 gpt-4 -o json", exitDone, `"available": 0`},
		{"reset user-1 gpt-4", exitDone, ""},
		{"acquire user-1 gpt-4 -c rpm=1 -o json", exitDone, "{"},
		{"top --once --interval 100ms", exitDone, "2 of 2 buckets"},
		{"top --once --interval 0s --entity org -o json", exitDone, `"used": 2`},
		{"loadtest --rate 20 --duration 1s --warm-up 0s --entities 2 -l rps:5/s -o json", exitDone, `"estimated": false`},
		{"loadtest --rate 20 --duration 1s --warm-up 0s --entities 3 --depth 2 --resource gpt-4", exitDone, "held by 8 limits of 4 buckets in every interval"},
		{"top --once --interval 0s --entity-id loadtest-*", exitDone, "0 of 0 buckets"},
		{"entity children org", exitDone, "user-1"},
		{"entity delete org --yes", exitFailed, "children"},
		{"resource list --with-entity-limits", exitDone, "gpt-4"},
		{"usage list -e user-1", exitDone, "DynamoDB Local has no aggregator"},
		{"usage summary -e user-1", exitDone, "DynamoDB Local has no aggregator"},
		{"reset user-1 gpt-9", exitNotFound, "no bucket"},
		{"system set-defaults --on-unavailable allow", exitDone, "rpm"},
		{"namespace register other", exitDone, ""},
		{"namespace list", exitDone, "other"},
		{"audit list", exitDone, "bucket_reset"},
		{"entity delete user-1 --yes", exitDone, ""},
		{"entity show user-1", exitNotFound, ""},
	} {
		select_ := flags
		if i%2 == 1 {
			select_ = store
		}
		code, out, err := call(select_, c.line)
		if code != c.code || !strings.Contains(out+err, c.says) {
			t.Errorf("%s: exit code %d, not %d, and %q should be in\n%s%s", c.line, code, c.code, c.says, out, err)
		}
	}
	code, _, err := call([]string{"--name", name + "-not", "--endpoint-url", o.Endpoint}, "acquire user-1 gpt-4 -c rpm=1")
	if code != exitUnavailable || !strings.Contains(err, "zae-limiter deploy --name "+name+"-not") || strings.Count(err, "\n") != 1 {
		t.Errorf("a table that is not there: exit code %d\n%s", code, err)
	}
	if _, err := dynamo.Open(t.Context(), name+"-not", o); !errors.Is(err, dynamo.ErrNotDeployed) {
		t.Errorf("Open of a table that is not there: %v", err)
	}
}
