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

// Session holds what the clients of one run of a program share. It is safe for concurrent use.
type Session struct {
	// MFA asks the user for the code of the MFA device with this serial number; nil if there is nobody to ask.
	MFA func(serial string) (code string, err error)

	lock   sync.Mutex
	base   context.Context
	loaded map[string]*shared // by region
}

// shared is the configuration that was loaded for a region.
type shared struct {
	config aws.Config
	serial string // of the MFA device that the profile requires; empty for none
	lock   sync.Mutex
	asked  bool
}

type sessionKey struct{}

// With returns a context whose calls of [Load] share the session. The session uses this context, without later deadlines, to ask
// for codes, since people are slow.
func With(ctx context.Context, s *Session) context.Context {
	s.lock.Lock()
	defer s.lock.Unlock()
	s.base = context.WithValue(ctx, sessionKey{}, s)
	return s.base
}

// Context returns the context of the last call of [With].
func (s *Session) Context() context.Context {
	s.lock.Lock()
	defer s.lock.Unlock()
	return s.base
}

// Load returns the configuration of the environment and of the user's files, for a region; an empty region means theirs. It does
// not call AWS.
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
	loaded := &shared{}
	options := []func(*config.LoadOptions) error{
		config.WithLogger(logging.Nop{}),
		config.WithAssumeRoleCredentialOptions(func(o *stscreds.AssumeRoleOptions) {
			if o.SerialNumber == nil {
				return
			}
			loaded.serial = *o.SerialNumber
			o.TokenProvider = func() (string, error) { return s.code(loaded) }
		}),
	}
	if region != "" { // credentials may come from a regional service
		options = append(options, config.WithRegion(region))
	}
	var err error
	if loaded.config, err = config.LoadDefaultConfig(ctx, options...); err != nil {
		return nil, explainLoad(err)
	}
	loaded.config.Credentials = Explained(loaded.config.Credentials, &loaded.config)
	return loaded, nil
}

// code asks for a code once. It does not ask again when the temporary credentials expire, in the middle of other work.
func (s *Session) code(of *shared) (string, error) {
	of.lock.Lock()
	defer of.lock.Unlock()
	if s.MFA == nil || of.asked {
		return "", ErrMFA
	}
	of.asked = true
	return s.MFA(of.serial)
}

// Ready asks for the code of an MFA device if the credentials of the region require one, so that no deadline runs while the user
// looks it up. Without a session in ctx it does nothing. It returns an [*Error] if there are no credentials.
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

// Local reports whether an endpoint is on this machine, and therefore belongs to an emulator.
func Local(endpoint string) bool {
	u, err := url.Parse(endpoint)
	if err != nil {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}

// ForEmulator returns credentials for an emulator, which requires some but accepts any: those of the environment, if set, since
// the emulator may separate tables by access key, otherwise fixed ones.
func ForEmulator(own aws.CredentialsProvider) aws.CredentialsProvider {
	if environment, err := config.NewEnvConfig(); err == nil && environment.Credentials.HasKeys() {
		return own
	}
	return credentials.NewStaticCredentialsProvider("local", "local", "")
}
