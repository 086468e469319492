package plugin

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/view"
)

// Confirm asks whether to go on, after what will happen, and where, has been said. Where
// nobody can be asked, instead says what to give.
func (b *Base) Confirm(ctx context.Context, instead string) error {
	if !view.IsTerminal(b.In) {
		return fmt.Errorf("confirmation is required, but standard input is not a terminal: use %s; nothing was changed", instead)
	}
	fmt.Fprint(b.ErrOut, "Continue? [y/N] ")
	said, err := Answer(ctx, func() (string, error) { return bufio.NewReader(b.In).ReadString('\n') })
	if err != nil && said == "" {
		fmt.Fprintln(b.ErrOut)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return errors.New("no answer: nothing was changed")
	}
	if a := strings.ToLower(strings.TrimSpace(said)); a != "y" && a != "yes" {
		return errors.New("not confirmed: nothing was changed")
	}
	return nil
}
