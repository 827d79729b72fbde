package main

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/zeroae/zae-limiter-go/internal/awsconfig"
	"github.com/zeroae/zae-limiter-go/internal/awsconfig/awsconfigtest"
)

// TestNoCredentials checks that commands on deployed stores and on stacks say in one line why there are no credentials, and what
// to do.
func TestNoCredentials(t *testing.T) {
	for _, x := range awsconfigtest.Failures() {
		if x.Late { // would take until the command's own deadline
			continue
		}
		t.Run(x.Name, func(t *testing.T) {
			x.Set(t)
			for _, line := range []string{"entity list --name app", "list"} {
				var out, err bytes.Buffer
				w := realHost()
				w.In, w.Out, w.Err = strings.NewReader(""), &out, &err
				w.Terminal = func(any) bool { return false }
				w.Getenv = func(string) string { return "" }
				if code := run(context.Background(), strings.Fields(line), w); code != exitUnavailable || strings.Count(err.String(), "\n") != 1 {
					t.Errorf("%s: exit code %d\n%s", line, code, err.String())
				}
				for _, part := range append(x.Says, "zae-limiter: ") {
					if !strings.Contains(err.String(), part) {
						t.Errorf("%s: %q does not say %q", line, err.String(), part)
					}
				}
				for _, part := range []string{"operation error", "request rejected", "dynamo: "} {
					if strings.Contains(err.String(), part) {
						t.Errorf("%s: %q says %q", line, err.String(), part)
					}
				}
			}
		})
	}
}

// TestSignIn checks that the code of an MFA device is asked for on a terminal, once for stores and stacks together, and never for
// an emulator.
func TestSignIn(t *testing.T) {
	calls := awsconfigtest.SetMFA(t)
	var err bytes.Buffer
	app := &App{host: realHost()}
	app.In, app.Err, app.Getenv = strings.NewReader(awsconfigtest.MFACode+"\n"), &err, func(string) string { return "" }
	app.aws = &awsconfig.Session{MFA: app.promptMFACode}
	awsconfig.With(t.Context(), app.aws)
	if _, e := app.signIn(target{name: "app", endpoint: "http://127.0.0.1:8000"}); e != nil || calls() != 0 {
		t.Fatalf("for an emulator: %v, %d", e, calls())
	}
	for range 2 {
		ctx, e := app.signIn(target{name: "app", region: "us-east-1"})
		if e != nil {
			t.Fatal(e)
		}
		c, e := awsconfig.Load(ctx, "us-east-1")
		if e != nil {
			t.Fatal(e)
		}
		if got, e := c.Credentials.Retrieve(ctx); e != nil || got.AccessKeyID != "AK" {
			t.Errorf("%v, %v", got.AccessKeyID, e)
		}
	}
	if calls() != 1 || err.String() != "zae-limiter: code of the MFA device arn:aws:iam::1:mfa/ann: " {
		t.Errorf("STS was asked %d times; %q", calls(), err.String())
	}
}
