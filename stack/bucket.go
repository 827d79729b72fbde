package stack

import (
	"bytes"
	"cmp"
	"context"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// hasBucket tells whether a bucket is there; one of somebody else's account is an error.
func (s *session) hasBucket(ctx context.Context, name string) (bool, error) {
	_, err := s.s3.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &name, ExpectedBucketOwner: s.owner()})
	if err == nil {
		return true, nil
	}
	if missingInS3(err) {
		return false, nil
	}
	return false, s.errCall("look for the bucket "+name, err)
}

// owner of the buckets that are spoken to, where it is known: a name may be another account's.
func (s *session) owner() *string {
	if s.account == "" {
		return nil
	}
	return &s.account
}

func missingInS3(err error) bool {
	name, _ := code(err)
	return name == "NotFound" || name == "NoSuchBucket" || name == "NoSuchKey"
}

// upload puts the code into the bucket under the hash of its content, if it is not there.
func (s *session) upload(ctx context.Context, w *wanted) error {
	if w.code == nil {
		return nil
	}
	bucket, key := cmp.Or(w.named[paramBucket], w.has.params[paramBucket]), codeKey(w.code)
	if err := s.identify(ctx); err != nil {
		return err
	}
	_, err := s.s3.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &bucket, Key: &key, ExpectedBucketOwner: s.owner()})
	if err == nil {
		return nil
	}
	if !missingInS3(err) {
		return s.errCall("look for the code in "+bucket, err)
	}
	s.say("uploading the function's code, " + strconv.Itoa(len(w.code.Zip)/1000) + " kB")
	_, err = s.s3.PutObject(ctx, &s3.PutObjectInput{
		Bucket: &bucket, Key: &key, Body: bytes.NewReader(w.code.Zip), ContentType: aws.String("application/zip"), ExpectedBucketOwner: s.owner(),
	})
	return s.errCall("upload the code to "+bucket, err)
}

// mostSweeps bounds how often a bucket is emptied that fills again: by the function, which ends with the stack.
const mostSweeps = 3

// dropBucket deletes a bucket with all that is in it, in all versions.
func (s *session) dropBucket(ctx context.Context, name string) error {
	s.say("deleting the bucket " + name + " and all that is in it")
	for sweep := 1; ; sweep++ {
		if err := s.sweep(ctx, name); err != nil {
			return s.errCall("empty the bucket "+name, err)
		}
		_, err := s.s3.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: &name, ExpectedBucketOwner: s.owner()})
		if missingInS3(err) {
			return nil
		}
		if reason, _ := code(err); reason == "BucketNotEmpty" && sweep < mostSweeps {
			continue
		}
		return s.errCall("delete the bucket "+name, err)
	}
}

// sweep deletes all that is in a bucket, page by page.
func (s *session) sweep(ctx context.Context, name string) error {
	in := &s3.ListObjectVersionsInput{Bucket: &name, ExpectedBucketOwner: s.owner()}
	for {
		page, err := s.s3.ListObjectVersions(ctx, in)
		if missingInS3(err) {
			return nil
		}
		if err != nil {
			return err
		}
		var all []types.ObjectIdentifier
		for _, v := range page.Versions {
			all = append(all, types.ObjectIdentifier{Key: v.Key, VersionId: v.VersionId})
		}
		for _, m := range page.DeleteMarkers {
			all = append(all, types.ObjectIdentifier{Key: m.Key, VersionId: m.VersionId})
		}
		if len(all) > 0 {
			out, err := s.s3.DeleteObjects(ctx, &s3.DeleteObjectsInput{
				Bucket: &name, Delete: &types.Delete{Objects: all, Quiet: aws.Bool(true)}, ExpectedBucketOwner: s.owner(),
			})
			if err != nil {
				return err
			}
			if len(out.Errors) > 0 {
				return errS3(out.Errors[0])
			}
		}
		if !aws.ToBool(page.IsTruncated) {
			return nil
		}
		in.KeyMarker, in.VersionIdMarker = page.NextKeyMarker, page.NextVersionIdMarker
	}
}
