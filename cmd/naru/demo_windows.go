package main

import (
	"os/exec"
	"syscall"
)

// ownGroup keeps signals of the terminal from a child.
func ownGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{CreationFlags: syscall.CREATE_NEW_PROCESS_GROUP}
}
