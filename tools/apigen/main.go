// Apigen writes what is generated from the protobuf files in api/: the Go code, by
// the usual plugins, and the OpenAPI document.
//
//	go -C tools run ./apigen
package main

import (
	"bytes"
	"context"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"sort"

	"github.com/bufbuild/protocompile"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/pluginpb"
)

const (
	root    = "../api"
	sources = "naru/v1"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("apigen: ")
	if err := run(context.Background()); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context) error {
	names, err := filepath.Glob(filepath.Join(root, sources, "*.proto"))
	if err != nil {
		return err
	}
	for i, name := range names {
		names[i] = sources + "/" + filepath.Base(name)
	}
	sort.Strings(names)
	compiler := protocompile.Compiler{
		Resolver:       protocompile.WithStandardImports(&protocompile.SourceResolver{ImportPaths: []string{root}}),
		SourceInfoMode: protocompile.SourceInfoStandard,
	}
	compiled, err := compiler.Compile(ctx, names...)
	if err != nil {
		return err
	}
	files := make([]protoreflect.FileDescriptor, len(compiled))
	for i, f := range compiled {
		files[i] = f
	}
	for plugin, parameter := range map[string]string{
		"protoc-gen-go":         "paths=source_relative",
		"protoc-gen-connect-go": "paths=source_relative,simple",
	} {
		if err := generate(ctx, plugin, parameter, names, files); err != nil {
			return fmt.Errorf("%s: %w", plugin, err)
		}
	}
	document, err := openAPI(files)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(root, sources, "openapi.yaml"), document, 0o644)
}

// generate runs a plugin of protoc.
func generate(ctx context.Context, plugin, parameter string, names []string, files []protoreflect.FileDescriptor) error {
	request := &pluginpb.CodeGeneratorRequest{FileToGenerate: names, Parameter: &parameter, ProtoFile: withImports(files)}
	in, err := proto.Marshal(request)
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "go", "tool", plugin)
	cmd.Stdin, cmd.Stderr = bytes.NewReader(in), os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return err
	}
	var response pluginpb.CodeGeneratorResponse
	if err := proto.Unmarshal(out, &response); err != nil {
		return err
	}
	if response.Error != nil {
		return fmt.Errorf("%s", response.GetError())
	}
	for _, f := range response.GetFile() {
		name := filepath.Join(root, filepath.FromSlash(f.GetName()))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(name, []byte(f.GetContent()), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// withImports lists files and what they import, imports first.
func withImports(files []protoreflect.FileDescriptor) (list []*descriptorpb.FileDescriptorProto) {
	seen := make(map[string]bool)
	var add func(f protoreflect.FileDescriptor)
	add = func(f protoreflect.FileDescriptor) {
		if seen[f.Path()] {
			return
		}
		seen[f.Path()] = true
		for i := range f.Imports().Len() {
			add(f.Imports().Get(i).FileDescriptor)
		}
		list = append(list, protodesc.ToFileDescriptorProto(f))
	}
	for _, f := range files {
		add(f)
	}
	return list
}
