// Command image writes a container image by hand, where there is no registry to pull from: one layer of files of this
// machine, as an archive that `ctr images import` reads.
//
//	image -name REF -out FILE [-entrypoint PATH] [-add FROM=TO]... [-program FROM=TO]... [-folder PATH]...
//
// -add takes a file or a folder as it is; -program takes a program with the shared libraries that it is linked to; -folder
// makes an empty folder. Times and owners are left out, so that the same files give the same image.
package main

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"
)

// list is a flag that may be given several times.
type list []string

func (l *list) String() string     { return strings.Join(*l, " ") }
func (l *list) Set(v string) error { *l = append(*l, v); return nil }

func main() {
	var add, programs, folders list
	name := flag.String("name", "", "reference of the image")
	out := flag.String("out", "", "archive to write")
	entrypoint := flag.String("entrypoint", "", "what the image runs")
	flag.Var(&add, "add", "FROM=TO: a file or a folder")
	flag.Var(&programs, "program", "FROM=TO: a program with its libraries")
	flag.Var(&folders, "folder", "an empty folder")
	flag.Parse()
	layer, err := layerOf(folders, add, programs)
	if err == nil {
		err = write(*out, *name, *entrypoint, layer)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
}

// write puts the manifest, the configuration and the layer into one archive, named as `docker save` names them.
func write(out, name, entrypoint string, layer []byte) error {
	config := map[string]any{
		"architecture": "amd64", "os": "linux",
		"rootfs": map[string]any{"type": "layers", "diff_ids": []string{"sha256:" + digest(layer)}},
		"config": map[string]any{"Entrypoint": entry(entrypoint), "Env": []string{"PATH=/usr/bin:/bin"}},
	}
	configuration, err := json.Marshal(config)
	if err != nil {
		return err
	}
	configName := digest(configuration) + ".json"
	manifest, err := json.Marshal([]any{map[string]any{
		"Config": configName, "RepoTags": []string{name}, "Layers": []string{"layer.tar"},
	}})
	if err != nil {
		return err
	}
	var archive bytes.Buffer
	writer := tar.NewWriter(&archive)
	for _, file := range []struct {
		name    string
		content []byte
	}{{configName, configuration}, {"layer.tar", layer}, {"manifest.json", manifest}} {
		if err := addContent(writer, file.name, 0o644, file.content); err != nil {
			return err
		}
	}
	if err := writer.Close(); err != nil {
		return err
	}
	return os.WriteFile(out, archive.Bytes(), 0o644)
}

func entry(path string) []string {
	if path == "" {
		return nil
	}
	return []string{path}
}

func digest(content []byte) string { return fmt.Sprintf("%x", sha256.Sum256(content)) }
