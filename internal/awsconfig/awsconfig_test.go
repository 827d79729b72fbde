package awsconfig_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/zeroae/zae-limiter-go/internal/awsconfig"
	"github.com/zeroae/zae-limiter-go/internal/awsconfig/awsconfigtest"
)

// TestTroubles checks that an error has the provider's cause and what to do, and wraps the SDK's error.
func TestTroubles(t *testing.T) {
	for _, x := range awsconfigtest.Failures() {
		t.Run(x.Name, func(t *testing.T) {
			ctx := x.Set(t)
			c, err := awsconfig.Load(ctx, "")
			if err == nil {
				_, err = c.Credentials.Retrieve(ctx)
			}
			var none *awsconfig.Error
			if !errors.As(err, &none) || none.Err == nil || none.Waiting != x.Late {
				t.Fatalf("%v: %+v", err, none)
			}
			for _, part := range x.Says {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q does not say %q", err, part)
				}
			}
			for _, part := range []string{"secret", "operation error", "RequestID", "failed to refresh", "\n"} {
				if strings.Contains(err.Error(), part) {
					t.Errorf("%q says %q", err, part)
				}
			}
		})
	}
}

// TestMFA checks that the code is asked for once for all clients of a run, regardless of their deadlines; asking again is an error.
func TestMFA(t *testing.T) {
	calls := awsconfigtest.SetMFA(t)
	asked := 0
	s := &awsconfig.Session{MFA: func(serial string) (string, error) {
		if asked++; serial != "arn:aws:iam::1:mfa/ann" {
			t.Errorf("asked for the code of %q", serial)
		}
		return awsconfigtest.MFACode, nil
	}}
	hurried, cancel := context.WithCancel(awsconfig.With(context.Background(), s))
	cancel()
	for range 2 {
		if err := awsconfig.Ready(hurried, ""); err != nil {
			t.Fatal(err)
		}
		c, err := awsconfig.Load(hurried, "")
		if err != nil {
			t.Fatal(err)
		}
		if got, err := c.Credentials.Retrieve(t.Context()); err != nil || got.AccessKeyID != "AK" || got.SessionToken != "ST" {
			t.Errorf("%+v, %v", got, err)
		}
	}
	if asked != 1 || calls() != 1 {
		t.Errorf("asked %d times, and STS %d times", asked, calls())
	}

	wrong := &awsconfig.Session{MFA: func(string) (string, error) { return "000000", nil }}
	ctx := awsconfig.With(context.Background(), wrong)
	if err := awsconfig.Ready(ctx, ""); err == nil || !strings.Contains(err.Error(), "invalid MFA one time pass code") {
		t.Errorf("a wrong code: %v", err)
	}
	if err := awsconfig.Ready(ctx, ""); !errors.Is(err, awsconfig.ErrMFA) {
		t.Errorf("a second question: %v", err)
	}
}

// TestExplained checks that a provider is wrapped once, and that the SDK recognizes the wrapped provider.
func TestExplained(t *testing.T) {
	if awsconfig.Explained(nil, nil) != nil {
		t.Error("no provider becomes one")
	}
	anonymous := awsconfig.Explained(aws.AnonymousCredentials{}, nil)
	if awsconfig.Explained(anonymous, nil) != anonymous || !aws.IsCredentialsProvider(anonymous, (*aws.AnonymousCredentials)(nil)) &&
		!aws.IsCredentialsProvider(anonymous, aws.AnonymousCredentials{}) {
		t.Error("the SDK does not recognise what is explained")
	}
	failing := awsconfig.Explained(aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return aws.Credentials{}, os.ErrNotExist }), &aws.Config{})
	if _, err := failing.Retrieve(t.Context()); !errors.Is(err, os.ErrNotExist) || !errors.As(err, new(*awsconfig.Error)) {
		t.Errorf("%v", err)
	}
}

// TestLocal checks which endpoints are on this machine.
func TestLocal(t *testing.T) {
	for endpoint, want := range map[string]bool{
		"http://localhost:8000": true, "http://127.0.0.1:1": true, "http://[::1]:1": true,
		"": false, "https://dynamodb.us-east-1.amazonaws.com": false, "http://localhost.example.com": false, "http://10.0.0.1": false, "://": false,
	} {
		if awsconfig.Local(endpoint) != want {
			t.Errorf("%q is local: %v", endpoint, !want)
		}
	}
}
