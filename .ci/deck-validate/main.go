// Command deck-validate checks declarative configuration files as `deck file validate` does: by decK's JSON schema, its rules
// for plugins, and whether names are unique and references lead somewhere. It is made of the library that decK is made of.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/kong/go-database-reconciler/pkg/dump"
	"github.com/kong/go-database-reconciler/pkg/file"
	"github.com/kong/go-database-reconciler/pkg/state"
)

// validate reads the files as one configuration, the environment variables DECK_… filled in.
func validate(paths []string) error {
	content, err := file.GetContentFromFiles(paths, false)
	if err != nil {
		return err
	}
	empty, err := state.NewKongState()
	if err != nil {
		return err
	}
	raw, err := file.Get(context.Background(), content, file.RenderConfig{CurrentState: empty}, dump.Config{}, nil)
	if err != nil {
		return err
	}
	_, err = state.Get(raw)
	return err
}

func main() {
	if err := validate(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
