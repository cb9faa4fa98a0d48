// Generates a client from ../../api with buf and protoc-gen-es, compiles it with
// the checks in src, strictly, and runs them against NARU_HTTP. An argument runs
// only the checks that have it in their title.
import { execFileSync } from "node:child_process";
import { rmSync } from "node:fs";
import { delimiter, join } from "node:path";

const here = import.meta.dirname;
const bin = join(here, "node_modules", ".bin");
const run = (program, ...args) =>
  execFileSync(join(bin, program), args, { cwd: here, stdio: "inherit", env: { ...process.env, PATH: bin + delimiter + process.env.PATH } });

rmSync(join(here, "out"), { recursive: true, force: true });
run("buf", "generate");
run("tsc");
await import("./out/src/main.js");
