// Command argocd is the parts of Argo CD that the tests need in one program: its first argument says which party it is to be.
//
// Nothing is added to the parties and nothing is taken away; what they are told stands in the flags that they are given.
package main

import (
	"fmt"
	"os"

	controller "github.com/argoproj/argo-cd/v3/cmd/argocd-application-controller/commands"
	applicationset "github.com/argoproj/argo-cd/v3/cmd/argocd-applicationset-controller/commands"
	reposerver "github.com/argoproj/argo-cd/v3/cmd/argocd-repo-server/commands"
	server "github.com/argoproj/argo-cd/v3/cmd/argocd-server/commands"
	cli "github.com/argoproj/argo-cd/v3/cmd/argocd/commands"
	"github.com/spf13/cobra"
)

const usage = "usage: argocd argocd|argocd-application-controller|argocd-applicationset-controller|argocd-repo-server|argocd-server [flags]"

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, usage)
		os.Exit(2)
	}
	var command *cobra.Command
	switch os.Args[1] {
	case "argocd":
		command = cli.NewCommand()
	case "argocd-application-controller":
		command = controller.NewCommand()
	case "argocd-applicationset-controller":
		command = applicationset.NewCommand()
	case "argocd-repo-server":
		command = reposerver.NewCommand()
	case "argocd-server":
		command = server.NewCommand()
	default:
		fmt.Fprintf(os.Stderr, "there is no party %q; %s\n", os.Args[1], usage)
		os.Exit(2)
	}
	// Each party reads its flags from os.Args and calls itself by the first of them.
	os.Args = os.Args[1:]
	if err := command.Execute(); err != nil {
		os.Exit(1)
	}
}
