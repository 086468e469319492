// Package gateway runs the script by which the gateway keeps credentials from notebooks, in
// an interpreter of Lua 5.1, which is what Envoy's is.
//
// It is a module of its own because nothing else needs the interpreter. That Envoy calls the
// script, and what it tells it, is for the test on a real node (test/e2e).
package gateway
