// Package lint holds the rules of this repository that no compiler and no
// common linter knows, as tests:
//
//   - the room table: who may import whom, and which rooms are pure
//     (rooms_test.go);
//   - the size of files and functions;
//   - no protocol's name in an exported identifier of the core;
//   - a doc comment for each internal package.
//
// A new package must be added to the room table before the tests pass: that is
// the moment to decide where it belongs. A file or function that has to be
// longer says why in a comment line that begins with "// Long:".
//
// Every rule is also run on a small made-up tree that breaks it.
package lint
