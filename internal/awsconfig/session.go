package awsconfig

import (
	"context"
	"net"
	"net/url"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/smithy-go/logging"
)

// Session is what the clients of one run of a program share. Safe for concurrent use.
type Session struct {
	// MFA asks a person for the code of the MFA device of this serial number; nil: nobody is there.
	MFA func(serial string) (code string, err error)

	lock   sync.Mutex
	base   context.Context
	loaded map[string]*shared // by region
}

// shared is what was loaded for a region.
type shared struct {
	config aws.Config
	serial string // of the MFA device that the profile demands, "" for none
	lock   sync.Mutex
	asked  bool
}

type sessionKey struct{}

// With is a context whose loads share the session. Codes are asked for as long as it lasts, whatever deadlines are set below
// it: people are slow.
func With(ctx context.Context, s *Session) context.Context {
	s.lock.Lock()
	defer s.lock.Unlock()
	s.base = context.WithValue(ctx, sessionKey{}, s)
	return s.base
}

// Context is the one that With has made last.
func (s *Session) Context() context.Context {
	s.lock.Lock()
	defer s.lock.Unlock()
	return s.base
}

// Load is the configuration of the environment and of the user's files, for a region ("": theirs). It talks to nobody.
func Load(ctx context.Context, region string) (aws.Config, error) {
	s, _ := ctx.Value(sessionKey{}).(*Session)
	if s == nil {
		loaded, err := (&Session{}).load(ctx, region)
		if err != nil {
			return aws.Config{}, err
		}
		return loaded.config, nil
	}
	s.lock.Lock()
	defer s.lock.Unlock()
	if s.loaded[region] == nil {
		loaded, err := s.load(ctx, region)
		if err != nil {
			return aws.Config{}, err
		}
		if s.loaded == nil {
			s.loaded = map[string]*shared{}
		}
		s.loaded[region] = loaded
	}
	return s.loaded[region].config.Copy(), nil
}

func (s *Session) load(ctx context.Context, region string) (*shared, error) {
	made := &shared{}
	options := []func(*config.LoadOptions) error{
		config.WithLogger(logging.Nop{}),
		config.WithAssumeRoleCredentialOptions(func(o *stscreds.AssumeRoleOptions) {
			if o.SerialNumber == nil {
				return
			}
			made.serial = *o.SerialNumber
			o.TokenProvider = func() (string, error) { return s.code(made) }
		}),
	}
	if region != "" { // credentials may be of a region's service
		options = append(options, config.WithRegion(region))
	}
	var err error
	if made.config, err = config.LoadDefaultConfig(ctx, options...); err != nil {
		return nil, explainLoad(err)
	}
	made.config.Credentials = Explained(made.config.Credentials, &made.config)
	return made, nil
}

// code asks once: a session of credentials that has expired is not worth a question in the middle of something else.
func (s *Session) code(of *shared) (string, error) {
	of.lock.Lock()
	defer of.lock.Unlock()
	if s.MFA == nil || of.asked {
		return "", ErrMFA
	}
	of.asked = true
	return s.MFA(of.serial)
}

// Ready asks for the code of an MFA device, if the credentials of the region demand one, so that no deadline runs while a person
// looks for it. Without a session in ctx it does nothing. It fails with an [*Error].
func Ready(ctx context.Context, region string) error {
	s, _ := ctx.Value(sessionKey{}).(*Session)
	if s == nil {
		return nil
	}
	c, err := Load(ctx, region)
	if err != nil {
		return err
	}
	s.lock.Lock()
	serial, base := s.loaded[region].serial, s.base
	s.lock.Unlock()
	if serial == "" {
		return nil
	}
	_, err = c.Credentials.Retrieve(base)
	return err
}

// Local reports whether an endpoint is on this machine: then it is an emulator's.
func Local(endpoint string) bool {
	u, err := url.Parse(endpoint)
	if err != nil {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}

// ForEmulator are credentials for an emulator, which wants some and does not care which: those of the environment, if there are
// any, since it may keep its tables by them; else somebody's.
func ForEmulator(own aws.CredentialsProvider) aws.CredentialsProvider {
	if environment, err := config.NewEnvConfig(); err == nil && environment.Credentials.HasKeys() {
		return own
	}
	return credentials.NewStaticCredentialsProvider("local", "local", "")
}
