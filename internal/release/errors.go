package main

import "errors"

var (
	errModified = errors.New("release: the tree is modified: commit first, or try it with -modified")
	errVersion  = errors.New("release: the build has no version: build in a git checkout")
	errTarget   = errors.New("release: a target is OS/ARCH, for example linux/arm64")
)
