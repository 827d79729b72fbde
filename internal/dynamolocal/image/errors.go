package main

import "errors"

var errLdd = errors.New("image: ldd does not tell which shared libraries Java needs")
