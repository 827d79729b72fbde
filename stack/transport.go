package stack

import (
	"io"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
)

// transport hides the method WriteTo of request bodies. The SDK closes the body of a request as soon as the answer arrives, while
// net/http may still look for the end of the body. A closed body returns io.EOF, which ends a body that is read, but is an error of
// one that writes itself: net/http would then close the connection in the middle of the answer. Endpoints that answer within
// microseconds, as emulators do, meet this often.
type transport struct{ next aws.HTTPClient }

// Do implements [aws.HTTPClient].
func (t transport) Do(r *http.Request) (*http.Response, error) {
	if r.Body != nil && r.Body != http.NoBody {
		r.Body = struct{ io.ReadCloser }{r.Body}
	}
	return t.next.Do(r)
}

// setTransport makes the configuration's HTTP client hide WriteTo.
func setTransport(c *aws.Config) {
	if c.HTTPClient == nil {
		c.HTTPClient = awshttp.NewBuildableClient()
	}
	c.HTTPClient = transport{c.HTTPClient}
}
