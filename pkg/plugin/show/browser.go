package show

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
)

// OpenBrowser starts the desktop's own way to open a URL, and does not wait for it: some
// stay as long as the browser does.
func OpenBrowser(ctx context.Context, url string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	command := []string{"xdg-open", url}
	switch runtime.GOOS {
	case "darwin":
		command = []string{"open", url}
	case "windows":
		command = []string{"rundll32", "url.dll,FileProtocolHandler", url}
	default:
		// xdg-open would start a browser for terminals, or none and say nothing.
		if os.Getenv("DISPLAY") == "" && os.Getenv("WAYLAND_DISPLAY") == "" && os.Getenv("BROWSER") == "" && os.Getenv("WSL_DISTRO_NAME") == "" {
			return errors.New("there is no desktop session (neither DISPLAY nor WAYLAND_DISPLAY is set): open the URL in a browser on another machine")
		}
	}
	path, err := exec.LookPath(command[0])
	if err != nil {
		return fmt.Errorf("%s is not installed: open the URL in a browser", command[0])
	}
	// Not bound to ctx: the browser outlives this program.
	if err := exec.Command(path, command[1:]...).Start(); err != nil {
		return fmt.Errorf("%s: %w", command[0], err)
	}
	return nil
}
