/** A Node.js that is too old is named in one line, whatever is started with it. */
import { execFileSync, spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { engines, scripts } from "../../package.json";
import { packageRoot } from "../../schema/package-root";
import { temporaryFolder } from "../support/server";

const ROOT = packageRoot();

/** Runs a shell command whose Node.js says that it has this version. */
function runAs(version: string, command: string) {
	const fake = join(temporaryFolder(), "fake.js");
	writeFileSync(
		fake,
		`Object.defineProperties(process, {
			version: { value: "v${version}" },
			versions: { value: { ...process.versions, node: "${version}" } },
		});`,
	);
	const env = { ...process.env, NODE_OPTIONS: `--require ${fake}` };
	return spawnSync("sh", ["-c", command], { cwd: ROOT, env, encoding: "utf8" });
}

test.each([
	"node dist/cli/x-custom-jwt.js --version",
	"node dist/x-custom-jwt-pluginserver.js --dump",
	"node dist/x-custom-jwt-pluginserver.js --socket /nowhere/socket",
	"node node_modules/kong-pdk/bin/kong-js-pluginserver --plugins-directory $PWD/dist/plugins --dump-all-plugins",
	"node dist/backend.js",
	scripts.prestart,
])("%s names a Node.js that is too old in one line", (command) => {
	const { status, stdout, stderr } = runAs("18.20.8", command);
	expect({ stdout, stderr }).toEqual({
		stdout: "",
		stderr: `x-custom-jwt needs Node.js 20.19 or later; ${process.execPath} is v18.20.8\n`,
	});
	expect(status).toBe(2);
});

test.each([
	["9.11.2", 2],
	["20.9.0", 2],
	["20.18.3", 2],
	["20.19.0", 0],
	["22.0.0", 0],
	["100.1.0", 0],
])("a Node.js of version %s ends with %d", (version, status) => {
	expect(runAs(version, "node build/node-version.js").status).toBe(status);
});

test("the version is the one of package.json, and npm refuses others", () => {
	expect(engines.node).toBe(">=20.19");
	const check = readFileSync(join(ROOT, "build/node-version.js"), "utf8");
	expect(check).toContain("needs Node.js 20.19 or later");
	const config = ["config", "get", "engine-strict"];
	expect(execFileSync("npm", config, { cwd: ROOT, encoding: "utf8" })).toBe(
		"true\n",
	);
});

test.each([
	"dist/cli/x-custom-jwt.js",
	"dist/x-custom-jwt-pluginserver.js",
	"dist/plugins/x-custom-jwt.js",
	"dist/backend.js",
])("%s is strict code, although it begins with the check", (file) => {
	const code = readFileSync(join(ROOT, file), "utf8").replace(/^#!.*\n/, "");
	expect(code.startsWith('"use strict";\n')).toBe(true);
});
