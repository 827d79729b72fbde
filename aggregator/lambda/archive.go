package lambda

import (
	"bytes"
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// bucket is an [aggregator.Archive] in S3.
type bucket struct {
	client *s3.Client
	name   string
}

// Put implements [aggregator.Archive].
func (b *bucket) Put(ctx context.Context, name string, content []byte) error {
	_, err := b.client.PutObject(ctx, &s3.PutObjectInput{
		Bucket: &b.name, Key: &name, Body: bytes.NewReader(content), ContentType: aws.String("application/gzip"),
	})
	return err
}
