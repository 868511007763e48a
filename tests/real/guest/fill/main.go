// Command fill is the entrypoint of an image that holds one file: it writes that file to the path that is its argument.
package main

import (
	"fmt"
	"io"
	"os"
)

// content is where the image has its file.
const content = "/content"

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "fill: state the path to fill")
		os.Exit(1)
	}
	if err := fill(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "fill:", err)
		os.Exit(1)
	}
}

func fill(path string) error {
	from, err := os.Open(content)
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := os.Create(path)
	if err != nil {
		return err
	}
	if _, err := io.Copy(to, from); err != nil {
		return err
	}
	return to.Close()
}
