package lambda

import (
	"bytes"
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// s3Archive is an [aggregator.Archive] in S3. It has a function instead of the client, of which the linker would keep all
// methods.
type s3Archive struct {
	put  func(context.Context, *s3.PutObjectInput, ...func(*s3.Options)) (*s3.PutObjectOutput, error)
	name string
}

// Put implements [aggregator.Archive].
func (b *s3Archive) Put(ctx context.Context, name string, content []byte) error {
	_, err := b.put(ctx, &s3.PutObjectInput{
		Bucket: &b.name, Key: &name, Body: bytes.NewReader(content), ContentType: aws.String("application/gzip"),
	})
	return err
}
