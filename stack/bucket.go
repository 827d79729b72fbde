package stack

import (
	"bytes"
	"cmp"
	"context"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// hasBucket reports whether a bucket is there; one of somebody else's account is an error.
func (s *session) hasBucket(ctx context.Context, name string) (bool, error) {
	_, err := s.s3.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &name, ExpectedBucketOwner: s.owner()})
	if err == nil {
		return true, nil
	}
	if missingInS3(err) {
		return false, nil
	}
	return false, s.errDenied("look for the bucket "+name, "s3:ListBucket on it, if it is of this account", err)
}

// lingers is for how long S3 may show a bucket that was deleted, and how often that is looked at: buckets are eventually
// consistent (User Guide, "Amazon S3 data consistency model").
const (
	lingers   = 10 * time.Second
	mostLooks = 3
)

// stays reports whether a bucket is there, and not only still to be seen.
func (s *session) stays(ctx context.Context, name string) (bool, error) {
	for look := 1; ; look++ {
		there, err := s.hasBucket(ctx, name)
		if err != nil || !there || look == mostLooks {
			return there, err
		}
		if err := s.rest(ctx, lingers); err != nil {
			return false, err
		}
	}
}

// oldBucket is the name of the bucket of a stack that is not there; "" if there is no such bucket. Unless it is wanted
// (named), a bucket that may not be looked at counts as absent.
func (s *session) oldBucket(ctx context.Context, wanted string) (string, error) {
	if err := s.identify(ctx); err != nil {
		return "", err
	}
	name := cmp.Or(wanted, bucketName(s.account, s.region, s.name))
	there, err := s.hasBucket(ctx, name)
	if wanted == "" && isDenied(err) {
		return "", nil
	}
	if err != nil || !there {
		return "", err
	}
	return name, nil
}

// bucketSettings are what parameters say of a bucket: the days after which the archive goes to Glacier, and the key;
// "" for none.
func (s *session) bucketSettings(ctx context.Context, name string) (glacier, key string, err error) {
	rules, err := s.s3.GetBucketLifecycleConfiguration(ctx, &s3.GetBucketLifecycleConfigurationInput{Bucket: &name, ExpectedBucketOwner: s.owner()})
	if reason, _ := code(err); err != nil && reason != "NoSuchLifecycleConfiguration" {
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
	if reason, _ := code(err); err != nil && reason != "ServerSideEncryptionConfigurationNotFoundError" {
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

// upload puts the code into the bucket under the hash of its content, if it is not there. Without s3:ListBucket S3 answers
// 403 for an object that is not there, and without s3:GetObject for one that is (API reference of HeadObject): then S3 is
// asked to store it unless it is there, which it answers with 412.
func (s *session) upload(ctx context.Context, w *wanted) error {
	if w.code == nil {
		return nil
	}
	bucket, key := cmp.Or(w.named[paramBucket], w.has.params[paramBucket]), codeKey(w.code)
	if err := s.identify(ctx); err != nil {
		return err
	}
	_, err := s.s3.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &bucket, Key: &key, ExpectedBucketOwner: s.owner()})
	switch {
	case err == nil:
		return nil
	case isDenied(err):
		s.say("it cannot be told whether the code is in the bucket: s3:ListBucket on " + bucket + " is not allowed, or s3:GetObject")
	case !missingInS3(err):
		return s.errCall("look for the code in "+bucket, err)
	}
	s.say("uploading the function's code, " + strconv.Itoa(len(w.code.Zip)/1000) + " kB")
	err = s.patiently(ctx, func() error {
		_, err := s.s3.PutObject(ctx, &s3.PutObjectInput{
			Bucket: &bucket, Key: &key, Body: bytes.NewReader(w.code.Zip), ContentType: aws.String("application/zip"),
			ExpectedBucketOwner: s.owner(), IfNoneMatch: aws.String("*"),
		})
		return err
	})
	if reason, _ := code(err); reason == "PreconditionFailed" { // it is there
		return nil
	}
	return s.errDenied("upload the code to "+bucket, "s3:PutObject on "+codeFolder+"*", err)
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
		err := s.patiently(ctx, func() error {
			_, err := s.s3.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: &name, ExpectedBucketOwner: s.owner()})
			return err
		})
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
