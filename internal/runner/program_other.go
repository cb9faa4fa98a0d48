//go:build !unix

package runner

import "os/exec"

// Without process groups the program is ended alone.
func ownGroup(*exec.Cmd) {}

func stopGroup(cmd *exec.Cmd) error { return cmd.Process.Kill() }

func killGroup(*exec.Cmd) {}
