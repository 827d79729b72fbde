package stack

import (
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
)

// UnreleasedVersion is the version of a build from a working copy.
const UnreleasedVersion = "devel"

const (
	module  = "github.com/zeroae/zae-limiter-go"
	command = module + "/cmd/zae-limiter"
)

// Tags of a stack, which CloudFormation propagates to its resources, and parts of names.
const (
	tagManagedBy     = "ManagedBy"
	managedBy        = "zae-limiter"
	tagPrefix        = "zae-limiter:"
	tagVersion       = tagPrefix + "version"
	tagSchema        = tagPrefix + "schema-version"
	tagFunction      = tagPrefix + "lambda-version"
	bucketPrefix     = "zae-"
	maxNameInBucket  = 46 // bytes of the stack's name
	digestLength     = 12
	codeFolder       = "lambda/"
	changeSetsPrefix = "zae-limiter-"
)

func isOwnTag(key string) bool { return key == tagManagedBy || strings.HasPrefix(key, tagPrefix) }

// bucketName returns the name of a stack's bucket. Bucket names are globally unique, so it depends on account and region; it
// is known before the stack exists and after it is deleted.
func bucketName(account, region, name string) string {
	sum := sha256.Sum256([]byte(account + "/" + region + "/" + name))
	digest := strings.ToLower(base32.StdEncoding.EncodeToString(sum[:]))[:digestLength]
	lower := strings.ToLower(name)
	return bucketPrefix + lower[:min(len(lower), maxNameInBucket)] + "-" + digest
}

func codeKey(c *Code) string { return codeFolder + c.Hash + ".zip" }

// Version returns the version of this module in the running program, as [Ensure] records it in a stack: restricted to the
// characters that a tag may have, and [UnreleasedVersion] for a build from a working copy.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return UnreleasedVersion
	}
	if info.Main.Path == module {
		return tagValue(info.Main.Version)
	}
	for _, dep := range info.Deps {
		if dep.Path == module && dep.Replace == nil {
			return tagValue(dep.Version)
		}
	}
	return UnreleasedVersion
}

// olderRelease reports whether a release is older than another. It returns false if either is not a release.
func olderRelease(version, than string) bool {
	var a, b [3]int
	n, _ := fmt.Sscanf(version, "v%d.%d.%d", &a[0], &a[1], &a[2])
	m, _ := fmt.Sscanf(than, "v%d.%d.%d", &b[0], &b[1], &b[2])
	return n == 3 && m == 3 && slices.Compare(a[:], b[:]) < 0
}

var notInTags = regexp.MustCompile(`[^A-Za-z0-9_.:/=+\-@ ]`)

func tagValue(version string) string {
	if version = notInTags.ReplaceAllString(version, ""); version == "" {
		return UnreleasedVersion
	}
	return version
}
