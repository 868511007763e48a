package main

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"sort"
	"strings"
)

// layerOf collects what goes into the image: where it comes from by where it goes. Sorted, so that it is the same each time.
func layerOf(folders, add, programs list) ([]byte, error) {
	files := map[string]string{}
	for _, pair := range append(append(list{}, add...), programs...) {
		from, to, ok := strings.Cut(pair, "=")
		if !ok {
			return nil, fmt.Errorf("%q is not FROM=TO", pair)
		}
		if err := collect(files, from, to); err != nil {
			return nil, err
		}
	}
	for _, pair := range programs {
		from, _, _ := strings.Cut(pair, "=")
		libraries, err := librariesOf(from)
		if err != nil {
			return nil, err
		}
		for _, library := range libraries {
			files[library] = library
		}
	}
	var layer bytes.Buffer
	writer := tar.NewWriter(&layer)
	if err := addAll(writer, folders, files); err != nil {
		return nil, err
	}
	return layer.Bytes(), writer.Close()
}

// collect walks a file or a folder; links are followed, so that what they point to is in the image.
func collect(files map[string]string, from, to string) error {
	return filepath.WalkDir(from, func(found string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := os.Stat(found)
		if err != nil || info.IsDir() {
			return err
		}
		below, err := filepath.Rel(from, found)
		files[path.Join(to, filepath.ToSlash(below))] = found
		return err
	})
}

// librariesOf asks the dynamic linker what a program loads; a static program loads nothing.
func librariesOf(program string) ([]string, error) {
	told, err := exec.Command("ldd", program).CombinedOutput()
	if err != nil {
		if bytes.Contains(told, []byte("not a dynamic executable")) || bytes.Contains(told, []byte("statically linked")) {
			return nil, nil
		}
		return nil, fmt.Errorf("ldd %s: %w: %s", program, err, told)
	}
	var libraries []string
	for _, line := range strings.Split(string(told), "\n") {
		for _, word := range strings.Fields(line) {
			if strings.HasPrefix(word, "/") {
				libraries = append(libraries, word)
			}
		}
	}
	return libraries, nil
}

func addAll(writer *tar.Writer, folders list, files map[string]string) error {
	parents := map[string]bool{}
	for _, folder := range folders {
		parents[path.Clean(folder)] = true
	}
	var targets []string
	for target := range files {
		targets = append(targets, target)
		for above := path.Dir(target); above != "/" && above != "."; above = path.Dir(above) {
			parents[above] = true
		}
	}
	for _, folder := range sorted(parents) {
		header := &tar.Header{Name: strings.TrimPrefix(folder, "/") + "/", Typeflag: tar.TypeDir, Mode: 0o755}
		if err := writer.WriteHeader(header); err != nil {
			return err
		}
	}
	sort.Strings(targets)
	for _, target := range targets {
		content, err := os.ReadFile(files[target])
		if err != nil {
			return err
		}
		info, err := os.Stat(files[target])
		if err != nil {
			return err
		}
		if err := addContent(writer, strings.TrimPrefix(target, "/"), int64(info.Mode().Perm()), content); err != nil {
			return err
		}
	}
	return nil
}

func addContent(writer *tar.Writer, name string, mode int64, content []byte) error {
	header := &tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: mode, Size: int64(len(content))}
	if err := writer.WriteHeader(header); err != nil {
		return err
	}
	_, err := writer.Write(content)
	return err
}

func sorted(set map[string]bool) []string {
	var names []string
	for name := range set {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}
