// Command image writes the files of a container image with DynamoDB Local to standard output, as a tar archive for
// "docker import": laid out as in the image amazon/dynamodb-local, made of this machine's Java and of Maven's files.
//
// It is for machines that reach no image registry; .ci/docker.sh calls it. DynamoDB Local's licence does not allow
// that such an image is published.
package main
