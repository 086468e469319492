package node

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// kubeletSysctls are the settings of the whole machine that a kubelet
// changes, with the values that it wants (pkg/util/sysctl of Kubernetes).
var kubeletSysctls = map[string]string{
	"vm/overcommit_memory":      "1",
	"vm/panic_on_oom":           "0",
	"kernel/panic":              "10",
	"kernel/panic_on_oops":      "1",
	"kernel/keys/root_maxkeys":  "1000000",
	"kernel/keys/root_maxbytes": "25000000",
}

const procSys = "/proc/sys"

// saveSysctls writes down the values that a kubelet is about to replace.
// What has the kubelet's value already is left out: it may be another bed's
// doing, and that bed will put it back.
func saveSysctls(root, file string) error {
	if _, err := os.Stat(file); err == nil {
		return nil // an earlier bed in this directory was killed: its notes hold the machine's own values
	}
	before := map[string]string{}
	for name, want := range kubeletSysctls {
		b, err := os.ReadFile(filepath.Join(root, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("sysctl %s: %w", name, err)
		}
		if v := strings.TrimSpace(string(b)); v != want {
			before[name] = v
		}
	}
	data, err := json.Marshal(before)
	if err != nil {
		return err
	}
	return os.WriteFile(file, data, 0o600)
}

// restoreSysctls puts back what saveSysctls wrote down, where it still has
// the kubelet's value: what somebody set since then stays.
func restoreSysctls(root, file string) error {
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	before := map[string]string{}
	if err := json.Unmarshal(data, &before); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	var errs []error
	for name, v := range before {
		f := filepath.Join(root, name)
		now, err := os.ReadFile(f)
		if err == nil && strings.TrimSpace(string(now)) == kubeletSysctls[name] {
			err = os.WriteFile(f, []byte(v+"\n"), 0o644)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, fmt.Errorf("restore sysctl %s to %s: %w", name, v, err))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return os.Remove(file)
}
