package stack

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// bucketExists reports whether a bucket exists. A bucket of another account is an error.
func (s *session) bucketExists(ctx context.Context, name string) (bool, error) {
	_, err := s.s3.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &name, ExpectedBucketOwner: s.owner()})
	if err == nil {
		return true, nil
	}
	if isS3NotFound(err) {
		return false, nil
	}
	return false, s.errDenied("look for the bucket "+name, "s3:ListBucket on it, if it belongs to this account", err)
}

// S3 may show a deleted bucket for some seconds: buckets are eventually consistent (User Guide, "Amazon S3 data consistency
// model"). A bucket that exists is checked again after bucketDeletionDelay, at most maxBucketChecks times in all.
const (
	bucketDeletionDelay = 10 * time.Second
	maxBucketChecks     = 3
)

// bucketExistsStably reports whether a bucket exists, and is not merely still visible after its deletion.
func (s *session) bucketExistsStably(ctx context.Context, name string) (bool, error) {
	for attempt := 1; ; attempt++ {
		exists, err := s.bucketExists(ctx, name)
		if err != nil || !exists || attempt == maxBucketChecks {
			return exists, err
		}
		if err := s.sleepAbout(ctx, bucketDeletionDelay); err != nil {
			return false, err
		}
	}
}

// existingBucket returns the name of the bucket of a stack that does not exist; empty if there is no such bucket. A bucket that
// the credentials may not read counts as absent, unless the caller names it (wanted).
func (s *session) existingBucket(ctx context.Context, wanted string) (string, error) {
	if err := s.readAccount(ctx); err != nil {
		return "", err
	}
	name := cmp.Or(wanted, bucketName(s.account, s.region, s.name))
	exists, err := s.bucketExists(ctx, name)
	if wanted == "" && isDenied(err) {
		return "", nil
	}
	if err != nil || !exists {
		return "", err
	}
	return name, nil
}

// bucketSettings returns the current values of the parameters that concern a bucket: the days until archived events move to
// Glacier, and the key; empty if not set.
func (s *session) bucketSettings(ctx context.Context, name string) (glacier, key string, err error) {
	rules, err := s.s3.GetBucketLifecycleConfiguration(ctx, &s3.GetBucketLifecycleConfigurationInput{Bucket: &name, ExpectedBucketOwner: s.owner()})
	if err != nil && !hasCode(err, "NoSuchLifecycleConfiguration") {
		return "", "", s.errDenied("look at the lifecycle of the bucket "+name, "s3:GetLifecycleConfiguration", err)
	}
	if err == nil {
		for _, r := range rules.Rules {
			for _, t := range r.Transitions {
				if t.StorageClass == types.TransitionStorageClassGlacierIr && t.Days != nil {
					glacier = strconv.Itoa(int(*t.Days))
				}
			}
		}
	}
	encrypted, err := s.s3.GetBucketEncryption(ctx, &s3.GetBucketEncryptionInput{Bucket: &name, ExpectedBucketOwner: s.owner()})
	if err != nil && !hasCode(err, "ServerSideEncryptionConfigurationNotFoundError") {
		return "", "", s.errDenied("look at the encryption of the bucket "+name, "s3:GetEncryptionConfiguration", err)
	}
	if err == nil && encrypted.ServerSideEncryptionConfiguration != nil {
		for _, r := range encrypted.ServerSideEncryptionConfiguration.Rules {
			if d := r.ApplyServerSideEncryptionByDefault; d != nil && keyARN.MatchString(aws.ToString(d.KMSMasterKeyID)) {
				key = *d.KMSMasterKeyID
			}
		}
	}
	return glacier, key, nil
}

// owner returns the account that buckets must belong to, if known: a name may belong to another account.
func (s *session) owner() *string {
	if s.account == "" {
		return nil
	}
	return &s.account
}

func isS3NotFound(err error) bool {
	return hasCode(err, "NotFound", "NoSuchBucket", "NoSuchKey")
}

// upload stores the code in the bucket, named by the hash of its content, unless it is already there. Without the permissions
// s3:ListBucket and s3:GetObject, S3 answers HeadObject with 403 in either case; then the upload is conditional, and S3
// answers with 412 if the object exists.
func (s *session) upload(ctx context.Context, w *desired) error {
	if w.code == nil {
		return nil
	}
	bucket, key := cmp.Or(w.named[paramBucket], w.current.params[paramBucket]), codeKey(w.code)
	if err := s.readAccount(ctx); err != nil {
		return err
	}
	_, err := s.s3.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &bucket, Key: &key, ExpectedBucketOwner: s.owner()})
	switch {
	case err == nil:
		return nil
	case isDenied(err):
		s.report("cannot check whether the code is already in the bucket: s3:ListBucket or s3:GetObject on " + bucket + " is not allowed")
	case !isS3NotFound(err):
		return s.errCall("look for the code in "+bucket, err)
	}
	s.report("uploading the function's code, " + strconv.Itoa(len(w.code.Zip)/1000) + " kB")
	err = s.withRetries(ctx, func() error {
		_, err := s.s3.PutObject(ctx, &s3.PutObjectInput{
			Bucket: &bucket, Key: &key, Body: bytes.NewReader(w.code.Zip), ContentType: aws.String("application/zip"),
			ExpectedBucketOwner: s.owner(), IfNoneMatch: aws.String("*"),
		})
		return err
	})
	switch {
	case hasCode(err, "PreconditionFailed"): // it already exists
		return nil
	case isS3NotFound(err):
		return s.errDataGone("bucket " + bucket)
	}
	return s.errDenied("upload the code to "+bucket, "s3:PutObject on "+codeFolder+"*", err)
}

// maxEmptyings bounds how often a bucket is emptied if new objects appear: the function may still write to it.
const maxEmptyings = 3

// deleteBucket deletes a bucket with all versions of all objects.
func (s *session) deleteBucket(ctx context.Context, name string) error {
	s.report("deleting the bucket " + name + " with all its objects")
	for emptying := 1; ; emptying++ {
		if err := s.emptyBucket(ctx, name); err != nil {
			return s.errCall("empty the bucket "+name, err)
		}
		err := s.withRetries(ctx, func() error {
			_, err := s.s3.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: &name, ExpectedBucketOwner: s.owner()})
			return err
		})
		if isS3NotFound(err) {
			return nil
		}
		if hasCode(err, "BucketNotEmpty") && emptying < maxEmptyings {
			continue
		}
		return s.errCall("delete the bucket "+name, err)
	}
}

// emptyBucket deletes all versions of all objects in a bucket, page by page.
func (s *session) emptyBucket(ctx context.Context, name string) error {
	in := &s3.ListObjectVersionsInput{Bucket: &name, ExpectedBucketOwner: s.owner()}
	for {
		page, err := s.s3.ListObjectVersions(ctx, in)
		if isS3NotFound(err) {
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
				first := out.Errors[0]
				return fmt.Errorf("%w: %s: %s: %s", errObjectNotDeleted, aws.ToString(first.Key), aws.ToString(first.Code), aws.ToString(first.Message))
			}
		}
		if !aws.ToBool(page.IsTruncated) {
			return nil
		}
		in.KeyMarker, in.VersionIdMarker = page.NextKeyMarker, page.NextVersionIdMarker
	}
}
